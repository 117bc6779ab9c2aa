"""List prices of provider APIs by model. In: model names. Out: US dollars, or why there is no price."""
