"""What the workers can do: each function of `work`, and when it is tried again."""

import gear
import work

app = gear.App()
retries = gear.Retries(3, backoff=0.1, on=(work.Flaky,))
thumb = app.function(retries=retries)(work.thumb)
fetch = app.function(retries=retries)(work.fetch)
sweep = app.every(1)(app.function()(work.sweep))
