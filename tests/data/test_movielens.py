"""Every release is read into the same two tables, and what is wrong in a file is named by its line."""

import csv
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from likely.data.movielens import GENRES_100K, read_movielens
from likely.data.protocol import SPLITS, SplitProtocol
from likely.data.ratings import RatingTable
from likely.data.timelines import build_timelines, make_rows
from likely.data.titles import split_title
from likely.errors import LikelyError

Rating = tuple[int, int, float, int]
Movie = tuple[int, str, int | None, list[str]]

RATINGS: list[Rating] = [(1, 2, 4.0, 100), (1, 1, 3.0, 90), (2, 3, 1.0, 964982703), (3, 2, 5.0, 110)]
MOVIES: list[Movie] = [
    (1, "Les Misérables", 1995, ["Drama", "Musical"]),
    (2, "The Matrix", 1999, ["Action", "Sci-Fi"]),
    (3, "The Cérémonie (La Cérémonie)", 1995, []),
    (4, "Unrated", 1950, ["Children's"]),
]
SPELLED = {1: "Misérables, Les", 2: "Matrix, The", 3: "Cérémonie, The (Cérémonie, La)", 4: "Unrated"}


def write_csv(folder: Path, ratings: Sequence[Rating]) -> None:
    with (folder / "movies.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["movieId", "title", "genres"])
        for movie_id, _, year, genres in MOVIES:
            writer.writerow([movie_id, f"{SPELLED[movie_id]} ({year}) ", "|".join(genres) or "(no genres listed)"])
    lines = ["userId,movieId,rating,timestamp", *(",".join(map(str, row)) for row in ratings)]
    (folder / "ratings.csv").write_text("\n".join(lines) + "\n")


def write_colons(folder: Path, ratings: Sequence[Rating], encoding: str = "latin-1") -> None:
    movies = "".join(f"{key}::{SPELLED[key]} ({year})::{'|'.join(genres)}\n" for key, _, year, genres in MOVIES)
    (folder / "movies.dat").write_bytes(movies.encode(encoding))
    (folder / "ratings.dat").write_text("".join("::".join(map(str, row)) + "\n" for row in ratings))


def write_colons_utf8(folder: Path, ratings: Sequence[Rating]) -> None:
    write_colons(folder, ratings, "utf-8")


def write_tabs(folder: Path, ratings: Sequence[Rating]) -> None:
    lines = []
    for key, _, year, genres in MOVIES:
        flags = [str(int(genre in genres or (genre == "unknown" and not genres))) for genre in GENRES_100K]
        lines.append("|".join([str(key), f"{SPELLED[key]} ({year})", f"01-Jan-{year}", "", "http://x", *flags]))
    (folder / "u.item").write_bytes("\n".join(lines).encode("latin-1"))
    (folder / "u.data").write_text("".join("\t".join(map(str, row)) + "\n" for row in ratings))


def write_tabs_with_genres(folder: Path, ratings: Sequence[Rating]) -> None:
    write_tabs(folder, ratings)
    names = [f"{genre}|{place}\n" for place, genre in enumerate(GENRES_100K)]
    (folder / "u.genre").write_text("".join(names) + "\n")


def write_recbole(folder: Path, ratings: Sequence[Rating]) -> None:
    lines = ["item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq"]
    lines += [f"{key}\t{SPELLED[key]}\t{year}\t{' '.join(genres) or 'unknown'}" for key, _, year, genres in MOVIES]
    (folder / "tiny.item").write_text("\n".join(lines), encoding="utf-8")
    lines = ["user_id:token\titem_id:token\trating:float\ttimestamp:float"]
    lines += ["\t".join(map(str, row)) for row in ratings]
    (folder / "tiny.inter").write_text("\n".join(lines))


Writer = Callable[[Path, Sequence[Rating]], None]
WRITERS: list[Writer] = [
    write_csv,
    write_colons,
    write_colons_utf8,
    write_tabs,
    write_tabs_with_genres,
    write_recbole,
]
RATINGS_FILE = {
    write_csv: "ratings.csv",
    write_colons: "ratings.dat",
    write_tabs: "u.data",
    write_recbole: "tiny.inter",
}


@pytest.mark.parametrize("container", ["folder", "nested folder", "zip", "zip with a top folder"])
@pytest.mark.parametrize("write", WRITERS)
def test_every_release_gives_the_same_tables(tmp_path: Path, write: Writer, container: str) -> None:
    folder = tmp_path / "ml-tiny" / "inner"
    folder.mkdir(parents=True)
    write(folder, RATINGS)
    source = {"folder": folder, "nested folder": folder.parent}.get(container, tmp_path / "ml-tiny.zip")
    if container.startswith("zip"):
        with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in folder.iterdir():
                archive.write(path, f"ml-tiny/{path.name}" if "top" in container else path.name)
                archive.writestr(f"__MACOSX/._{path.name}", b"\x00\xff")
    data = read_movielens(source)
    assert data.name == ("inner" if container == "folder" else "ml-tiny")
    assert data.ratings.rows() == RATINGS
    assert data.items.rows() == MOVIES
    types = {"user_id": "Int32", "item_id": "Int32", "rating": "Float64", "timestamp": "Int64"}
    assert {name: str(dtype) for name, dtype in data.ratings.schema.items()} == types


def test_latest_small_agrees_with_the_csv_module(latest_small: RatingTable, shared_dir: Path) -> None:
    data = latest_small
    with (shared_dir / "ml-latest-small" / "ratings.csv").open(encoding="utf-8", newline="") as file:
        rows = [tuple(map(float, row)) for row in list(csv.reader(file))[1:]]
    assert data.ratings.rows() == rows
    with (shared_dir / "ml-latest-small" / "movies.csv").open(encoding="utf-8", newline="") as file:
        spelled = {int(row["movieId"]): row for row in csv.DictReader(file)}
    assert data.items["item_id"].to_list() == list(spelled)
    for movie_id, title, year, genres in data.items.iter_rows():
        raw = spelled[movie_id]
        assert "|".join(genres) == raw["genres"].replace("(no genres listed)", "")
        assert sorted(filter(str.isalnum, f"{title}{year or ''}")) == sorted(filter(str.isalnum, raw["title"])) or (
            "–" in raw["title"]  # of a range of years only the first is kept
        )
        assert not title.endswith((", The", ", A", ")", " ")) or "(" in title


@pytest.mark.parametrize(
    ("spelled", "expected"),
    [
        ("Matrix, The (1999)", ("The Matrix", 1999)),
        ("Good, the Bad and the Ugly, The (Buono, il brutto, il cattivo, Il) (1966)",
         ("The Good, the Bad and the Ugly (Il Buono, il brutto, il cattivo)", 1966)),
        ("School of Flesh, The (École de la chair, L') (1998)", ("The School of Flesh (L'École de la chair)", 1998)),
        ("Final Conflict, The (a.k.a. Omen III, The) (1981)", ("The Final Conflict (a.k.a. The Omen III)", 1981)),
        ("I, Robot (2004)", ("I, Robot", 2004)),
        ("I, Tonya (2017) ", ("I, Tonya", 2017)),
        ("1984 (1984)", ("1984", 1984)),
        ("2001: A Space Odyssey", ("2001: A Space Odyssey", None)),
        ("(500) Days of Summer (2009)", ("(500) Days of Summer", 2009)),
        ("Death Note: Desu nôto (2006–2007)", ("Death Note: Desu nôto", 2006)),
        ("Gordy (1995) (V)", ("Gordy", 1995)),
        ("(1995)", ("(1995)", None)),
    ],
)  # fmt: skip
def test_titles_read_naturally(spelled: str, expected: tuple[str, int | None]) -> None:
    assert split_title(spelled) == expected


ratings_lists = st.dictionaries(
    st.tuples(st.integers(1, 2**31 - 1), st.integers(1, 4)),
    st.tuples(st.integers(1, 10).map(lambda half_stars: half_stars / 2), st.integers(0, 2**33)),
    min_size=1,
    max_size=12,
).map(lambda table: [(*pair, *values) for pair, values in table.items()])
scratch = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@scratch
@given(ratings=ratings_lists, write=st.sampled_from(WRITERS))
def test_any_ratings_come_back_in_order(tmp_path: Path, ratings: list[Rating], write: Writer) -> None:
    folder = tmp_path / write.__name__
    folder.mkdir(exist_ok=True)
    write(folder, ratings)
    assert read_movielens(folder).ratings.rows() == ratings


few_ratings = st.dictionaries(
    st.tuples(st.integers(1, 2), st.integers(1, 4)),
    st.tuples(st.integers(1, 5).map(float), st.integers(0, 3)),
    min_size=3,
).map(lambda table: [(*pair, *values) for pair, values in table.items()])


@scratch
@given(ratings=few_ratings, write=st.sampled_from(WRITERS), draw=st.data())
def test_no_order_of_a_release_changes_the_records_and_none_shows_what_came_later(
    tmp_path: Path, ratings: list[Rating], write: Writer, draw: st.DataObject
) -> None:
    folder = tmp_path / write.__name__
    folder.mkdir(exist_ok=True)

    def records() -> list[dict[str, Any]]:
        data, protocol = read_movielens(folder), SplitProtocol(warmup=1, history_length=2)
        timelines = build_timelines(data.ratings, protocol)
        return [row for split in SPLITS for row in make_rows(timelines, data, split, protocol)]

    write(folder, ratings)
    expected = records()
    write(folder, draw.draw(st.permutations(ratings), label="rows"))
    if write in (write_csv, write_recbole):  # in the others, columns have no names
        path, separator = folder / RATINGS_FILE[write], "," if write is write_csv else "\t"
        order = draw.draw(st.permutations(range(4)), label="columns")
        lines = [line.split(separator) for line in path.read_text().splitlines()]
        path.write_text("\n".join(separator.join(line[place] for place in order) for line in lines) + "\n")
    assert records() == expected
    times = {(user, MOVIES[movie - 1][1]): time for user, movie, _, time in ratings}
    for row in expected:
        shown = re.findall(r"^- (.*?) \(\d{4}\)", row["input"], re.MULTILINE)
        assert shown
        assert all(times[row["user_id"], title] <= row["timestamp"] for title in shown)


BROKEN = {
    "short": lambda fields: fields[:3],
    "long": lambda fields: [*fields, "7"],
    "word for a user": lambda fields: ["one", *fields[1:]],
    "fractional movie": lambda fields: [fields[0], "1.5", *fields[2:]],
    "huge user": lambda fields: ["3000000000", *fields[1:]],
    "no rating": lambda fields: [*fields[:2], "", fields[3]],
    "rating too high": lambda fields: [*fields[:2], "5.5", fields[3]],
    "rating too low": lambda fields: [*fields[:2], "0", fields[3]],
    "rating not a number": lambda fields: [*fields[:2], "nan", fields[3]],
    "word for a time": lambda fields: [*fields[:3], "noon"],
    "endless time": lambda fields: [*fields[:3], "inf"],
    "not UTF-8": lambda fields: [*fields[:3], "\udcff"],
}


@scratch
@given(
    ratings=ratings_lists,
    write=st.sampled_from(list(RATINGS_FILE)),
    kind=st.sampled_from(list(BROKEN)),
    data=st.data(),
)
def test_a_bad_rating_is_named_by_file_and_line(
    tmp_path: Path, ratings: list[Rating], write: Writer, kind: str, data: st.DataObject
) -> None:
    folder = tmp_path / write.__name__
    folder.mkdir(exist_ok=True)
    write(folder, ratings)
    path = folder / RATINGS_FILE[write]
    separator = {write_csv: ",", write_colons: "::"}.get(write, "\t")
    header = 1 if write in (write_csv, write_recbole) else 0
    lines = path.read_text().rstrip("\n").split("\n")
    place = data.draw(st.integers(header, len(lines) - 1), label="place")
    lines[place] = separator.join(BROKEN[kind](lines[place].split(separator)))
    blank = data.draw(st.integers(0, 2), label="blank lines before")
    lines[place:place] = [""] * blank
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
    with pytest.raises(LikelyError) as caught:
        read_movielens(folder)
    assert f"Line {place + blank + 1} of {path} " in str(caught.value)


def test_windows_line_ends_blank_lines_and_a_byte_order_mark_are_no_mistakes(tmp_path: Path) -> None:
    write_csv(tmp_path, RATINGS)
    for name in ("ratings.csv", "movies.csv"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        text = text.replace("\n", "\r\n").replace("\r\r", "\r") + "\r\n\r\n"
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
    data = read_movielens(tmp_path)
    assert data.ratings.rows() == RATINGS
    assert data.items.rows() == MOVIES


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    write_csv(tmp_path, RATINGS)
    lines = [f"{stamp},note,{movie},{user},{stars}" for user, movie, stars, stamp in RATINGS]
    (tmp_path / "ratings.csv").write_text("\n".join(["timestamp,x,movieId,userId,rating", *lines]))
    assert read_movielens(tmp_path).ratings.rows() == RATINGS
    (tmp_path / "ratings.csv").write_text("userId,movieId,stars,timestamp\n1,1,3,5\n")
    with pytest.raises(LikelyError, match=r"Line 1 of .*ratings\.csv names no column 'rating'"):
        read_movielens(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"movieId,title,genres\n1,A, The,x\n", r"Line 2 of .*movies\.csv has 4 fields instead of 3"),
        (b"movieId,title,genres\n1,A,x\none,B,x\n", r"Line 3 of .*movies\.csv has no valid id of a movie \('one'\)"),
        (b"movieId,name,genres\n1,A,x\n", r"Line 1 of .*movies\.csv names no column 'title'"),
        (b"movieId,title,genres\n8,A,x\n9,B,y\n", r"movies\.csv lists none of the 3 rated movies, .* '1' .* '8'"),
    ],
)
def test_a_bad_movie_is_named_by_file_and_line(tmp_path: Path, content: bytes, message: str) -> None:
    write_csv(tmp_path, RATINGS)
    (tmp_path / "movies.csv").write_bytes(content)
    with pytest.raises(LikelyError, match=message):
        read_movielens(tmp_path)


def test_a_source_that_is_no_release_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LikelyError, match="There is no folder or zip"):
        read_movielens(tmp_path / "missing")
    with pytest.raises(LikelyError, match="holds no MovieLens ratings"):
        read_movielens(tmp_path)
    (tmp_path / "broken.zip").write_bytes(b"PK not really")
    with pytest.raises(LikelyError, match="is not a readable zip"):
        read_movielens(tmp_path / "broken.zip")
    write_csv(tmp_path, [])
    with pytest.raises(LikelyError, match="holds no ratings"):
        read_movielens(tmp_path)
    (tmp_path / "movies.csv").unlink()
    with pytest.raises(LikelyError, match=r"no movies\.csv beside it"):
        read_movielens(tmp_path)


def test_of_several_files_of_ratings_none_is_picked(tmp_path: Path) -> None:
    names = ("x.train.inter", "x.valid.inter", "x.test.inter")
    for name in names:
        (tmp_path / name).write_text(RECBOLE["ml-1m"][0])
    with pytest.raises(
        LikelyError, match=r"several files of ratings, x\.test\.inter and x\.train\.inter; .*--eval-rat"
    ):
        read_movielens(tmp_path)
    (tmp_path / "x.inter").write_text(RECBOLE["ml-1m"][0] + "2\t5\t4\t10\n")
    (tmp_path / "a.item").write_text(RECBOLE["ml-1m"][1].replace("Matrix", "Wrong"))
    (tmp_path / "x.item").write_text(RECBOLE["ml-1m"][1])
    data = read_movielens(tmp_path)
    assert (len(data.ratings), data.items["title"].to_list()) == (2, ["The Matrix"])
    for path in tmp_path.glob("x.*"):
        path.unlink()
    for name in ("ml-1", "ml-2"):
        (tmp_path / name).mkdir()
        write_csv(tmp_path / name, RATINGS)
    with pytest.raises(LikelyError, match=r"several files of ratings, ml-1/ratings\.csv and ml-2/ratings\.csv"):
        read_movielens(tmp_path)
    assert read_movielens(tmp_path / "ml-2").ratings.rows() == RATINGS


def test_a_zip_bomb_is_refused_before_it_is_in_memory(tmp_path: Path) -> None:
    write_csv(tmp_path, RATINGS)
    source = tmp_path / "ml-tiny.zip"
    with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "movies.csv", "movies.csv")
        with archive.open("ratings.csv", "w") as out:
            for _ in range(70):
                out.write(b"\n" * 10**6)
    with pytest.raises(LikelyError, match=r"ml-tiny\.zip has 0\.1 MB and would inflate to 70 MB"):
        read_movielens(source)


def test_a_damaged_member_of_a_zip_is_reported(tmp_path: Path) -> None:
    source = tmp_path / "ml-tiny.zip"
    write_csv(tmp_path, RATINGS)
    with zipfile.ZipFile(source, "w") as archive:
        archive.write(tmp_path / "movies.csv", "movies.csv")
        archive.write(tmp_path / "ratings.csv", "ratings.csv")
    source.write_bytes(source.read_bytes().replace(b"964982703", b"964982704"))
    with pytest.raises(LikelyError, match=r"ratings\.csv in .*ml-tiny\.zip cannot be read"):
        read_movielens(source)


RECBOLE = {
    "ml-1m": (
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t5\t4\t10\n",
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tgenre:token_seq\n"
        "5\tMatrix, The\t1999\tAction Sci-Fi\n",
        ("movie", ["The Matrix", 1999, ["Action", "Sci-Fi"]], 4.0),
    ),
    "book-crossing": (
        "user_id:token\titem_id:token\trating:float\n1\t034545104X\t7\n2\t034545104X\t3\n",
        "item_id:token\tbook_title:token_seq\tbook_author:token_seq\tpublication_year:float\n"
        '034545104X\t"A" B\tM. P. O. Morford\t1998\n',
        ("item", ['"A" B', 1998, ["by M. P. O. Morford"]], 7.0),
    ),
    "lastfm": (
        "user_id:token\tartist_id:token\tweight:float\n2\tx\t13883\n3\tx\t1\n",
        "artist_id:token\tname:token_seq\turl:token\nx\tDiary of Dreams\thttp://a\n",
        ("item", ["Diary of Dreams", None, []], 13883.0),
    ),
    "yelp": (
        "review_id:token\tuser_id:token\tbusiness_id:token\tstars:float\tuseful:float\tdate:float\nr\tu\tb\t2\t0\t5\nq\tv\tb\t4\t9\t6\n",
        "business_id:token\titem_name:token_seq\tcategories:token_seq\nb\tDiner\tFood, Late nights\n",
        ("item", ["Diner", None, ["Food", "Late nights"]], 2.0),
    ),
    "jester": (
        "user_id:token\titem_id:token\trating:float\n1\t5\t-9.5\n1\t6\t3.25\n",
        None,
        ("item", ["5", None, []], -9.5),
    ),
}


@pytest.mark.parametrize("name", list(RECBOLE))
def test_recboles_other_data_sets_are_read_by_their_headers(tmp_path: Path, name: str) -> None:
    ratings, items, expected = RECBOLE[name]
    (tmp_path / f"{name}.inter").write_text(ratings)
    if items is not None:
        (tmp_path / f"{name}.item").write_text(items)
    data = read_movielens(tmp_path)
    assert (data.words.noun, list(data.items.row(0)[1:]), data.ratings["rating"][0]) == expected


@pytest.mark.parametrize(
    "untyped", ["user_id", "item_id", "rating", "timestamp", "movie_title", "genre", "release_year"]
)
@pytest.mark.parametrize("ending", ["inter", "item", "both"])
def test_recboles_columns_without_a_type_are_read_by_their_names(tmp_path: Path, untyped: str, ending: str) -> None:
    for name, content in zip(("inter", "item"), RECBOLE["ml-1m"], strict=False):
        changed = re.sub(rf"\b{untyped}:\w+", untyped, content) if ending in (name, "both") else content
        (tmp_path / f"x.{name}").write_text(changed)
    data = read_movielens(tmp_path)
    assert data.ratings.rows() == [(1, 5, 4.0, 10)]
    assert data.items.rows() == [(5, "The Matrix", 1999, ["Action", "Sci-Fi"])]


@pytest.mark.parametrize("column", ["user_id", "item_id"])
def test_ids_of_recbole_are_ids_whatever_their_type(tmp_path: Path, column: str) -> None:
    (tmp_path / "x.inter").write_text(RECBOLE["ml-1m"][0].replace(f"{column}:token", f"{column}:float"))
    (tmp_path / "x.item").write_text(RECBOLE["ml-1m"][1])
    assert read_movielens(tmp_path).ratings.rows() == [(1, 5, 4.0, 10)]


def test_atomic_files_without_ratings_are_told_how_to_be_read(tmp_path: Path) -> None:
    (tmp_path / "x.inter").write_text("user:token\tartist_id:token\ttimestamp:float\n2\tx\t5\n")
    with pytest.raises(
        LikelyError, match=r"x\.inter has no column of ratings.* --user user:token and --item artist_id"
    ):
        read_movielens(tmp_path)


def test_kaggles_copy_in_quotes_and_with_dates_is_the_same_release(tmp_path: Path) -> None:
    for name, rows in {
        "rating.csv": [["userId", "movieId", "rating", "timestamp"], ["1", "2", "3.5", "2005-04-02 23:53:47"]],
        "movie.csv": [["movieId", "title", "genres"], ["2", "Jumanji (1995)", "Adventure|Children"]],
    }.items():
        with (tmp_path / name).open("w", newline="") as file:
            csv.writer(file, quoting=csv.QUOTE_ALL).writerows(rows)
    data = read_movielens(tmp_path)
    assert data.ratings.rows() == [(1, 2, 3.5, 1112486027)]
    assert data.items.rows() == [(2, "Jumanji", 1995, ["Adventure", "Children"])]
