"""Texts in other languages, one module each: the same keys as `app.texts`."""
