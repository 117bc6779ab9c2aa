"""Documents as comments for pull requests. In: a document. Out: GitHub-flavored Markdown, never too long for GitHub."""
