"""The same empty function in several job libraries; run by the interpreters that have them."""
