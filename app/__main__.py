"""`python -m app` opens the app."""

from app.main import run

if __name__ == "__main__":
    run()
