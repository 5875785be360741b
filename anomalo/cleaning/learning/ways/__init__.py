"""Ways of rewriting one text as another, each found from an example, applied to other texts and said in words."""
