"""The page of the live demonstration: HTML, style sheet, JavaScript modules and vendored libraries, as package data."""

from pathlib import Path

PAGE = Path(__file__).resolve().parent / "page"
"""The page's files; `page/index.html` is its entry."""
