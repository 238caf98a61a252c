"""Titles as catalogues spell them, `Matrix, The (1999)`, and as people read them.

`items` reads the titles of a table through it and `inference.movies` those that a user gives, so that both are named
alike.
"""

import re

# "Heat (1995)", "Cosmos (2006–2007)", "Cosmos (2009– )", and "Gordy (1995) (V)" for a video.
_YEAR = re.compile(r"\((\d{4})(?:\s*[-–]\s*(?:\d{4})?\s*)?\)(?:\s*\(V\))?$")
# Articles that are hardly ever the last word of a list; Italian "I" and Portuguese "O" are too ambiguous.
_ARTICLE = re.compile(r"^(a\.k\.a\. )?(.+), (The|An?|L'|Les?|La|Une?|El|Los|Las|Una|Il|Lo|Gli|Der|Die|Das|Eine?)$")
_ALTERNATIVE = re.compile(r"\(([^()]+)\)")


def split_title(title: str) -> tuple[str, int | None]:
    """Return a title in natural word order without its year, and the year.

    Articles are moved in the title and in each alternative title in brackets.

    >>> split_title("City of Lost Children, The (Cité des enfants perdus, La) (1995)")
    ('The City of Lost Children (La Cité des enfants perdus)', 1995)
    >>> split_title("Babylon 5")
    ('Babylon 5', None)
    """
    name = " ".join(title.split())
    year = None
    match = _YEAR.search(name)
    if match and match.start():
        name, year = name[: match.start()].rstrip(), int(match[1])
    main, bracket, alternatives = name.partition(" (")
    alternatives = _ALTERNATIVE.sub(lambda match: f"({_article_first(match[1])})", bracket + alternatives)
    return _article_first(main) + alternatives, year


def _article_first(title: str) -> str:
    match = _ARTICLE.match(title)
    if match is None:
        return title
    prefix, rest, article = match.groups(default="")
    return f"{prefix}{article}{rest}" if article == "L'" else f"{prefix}{article} {rest}"
