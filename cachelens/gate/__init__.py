"""The gate: budgets, rules and baselines. In: Results of one or several runs. Out: a Verdict. Pure: prints nothing."""
