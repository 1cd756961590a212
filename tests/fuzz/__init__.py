"""Whatever bytes come, wire and engine stay whole: tried by atheris, hypothesis and a corpus."""
