"""Every release reads the same, and a wrong line is named."""

import shutil
import zipfile

import pytest

from likely.errors import LikelyError
from likely.movielens import read_movielens

CSV_RATINGS = "userId,movieId,rating,timestamp\n1,10,4.5,100\n1,20,3.0,90\n2,10,0.5,80\n"
CSV_MOVIES = 'movieId,title,genres\n10,"Misérables, Les (1995)",Drama|War\n20,Heat,(no genres listed)\n'


def write(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def releases():
    genres_100k = "|".join("1" if name in (8, 17) else "0" for name in range(19))
    return {
        "csv": {"ratings.csv": CSV_RATINGS, "movies.csv": CSV_MOVIES},
        "1m": {
            "ratings.dat": "1::10::4.5::100\n1::20::3::90\n2::10::0.5::80\n",
            "movies.dat": "10::Misérables, Les (1995)::Drama|War\n20::Heat::\n".encode("latin-1"),
        },
        "100k": {
            "u.data": "1\t10\t4.5\t100\n1\t20\t3\t90\n2\t10\t0.5\t80\n",
            "u.item": (
                f"10|Misérables, Les (1995)|01-Jan-1995||http://x|{genres_100k}\n20|Heat|||http://x|{'|'.join('0' * 19)}\n"
            ).encode("latin-1"),
        },
        "recbole": {
            "ml-100k.inter": "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t10\t4.5\t100\n1\t20\t3\t90\n2\t10\t0.5\t80\n",
            "ml-100k.item": "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
            "10\tMisérables, Les\t1995\tDrama War\n20\tHeat\t\t\n",
        },
    }


@pytest.mark.parametrize("kind", releases())
@pytest.mark.parametrize("packed", ["folder", "zip", "zip with a folder"])
def test_every_release_gives_the_same_tables(tmp_path, kind, packed):
    source = write(tmp_path / "ml-x", releases()[kind])
    if packed != "folder":
        inside = "ml-x" if packed.endswith("folder") else "."
        base = tmp_path if inside == "ml-x" else source
        source = shutil.make_archive(str(tmp_path / "release"), "zip", base, inside)
    data = read_movielens(type(tmp_path)(source))
    assert data.ratings.rows() == [(1, 10, 4.5, 100), (1, 20, 3.0, 90), (2, 10, 0.5, 80)]
    assert data.movies.rows() == [(10, "Les Misérables", 1995, ["Drama", "War"]), (20, "Heat", None, [])]


@pytest.mark.parametrize(
    ("ratings", "complaint"),
    [
        (CSV_RATINGS + "3,10\n", "Line 5 of .*ratings.csv"),
        (CSV_RATINGS + "3,10,9.5,70\n", "Line 5 .*rating outside 0.5 to 5"),
        (CSV_RATINGS + "3,10,good,70\n", "Line 5 .*no valid rating"),
        (CSV_RATINGS + "1,10,4.0,70\n", "Line 5 .*rates movie 10 by user 1 once more"),
        (CSV_RATINGS + "3,99,4.0,70\n", "does not list, the first with the id 99"),
        (CSV_RATINGS.encode() + b"3,1\xff,4.0,70\n", "Line 5 .*(UTF-8|no valid movie id)"),
        ("userId,movieId,rating,timestamp\n", "holds no ratings"),
        ("user,movie,rating,time\n1,10,4,5\n", "Line 1 .*names no column 'userId'"),
    ],
)
def test_a_wrong_rating_is_named_by_its_line(tmp_path, ratings, complaint):
    source = write(tmp_path / "ml", {"ratings.csv": ratings, "movies.csv": CSV_MOVIES})
    with pytest.raises(LikelyError, match=complaint):
        read_movielens(source)


@pytest.mark.parametrize(
    ("movies", "complaint"),
    [
        (CSV_MOVIES + "30,Jaws\n", "Line 4 of .*movies.csv has 2 fields instead of 3"),
        (CSV_MOVIES + "x,Jaws,Horror\n", "Line 4 .*no valid movie id"),
        (CSV_MOVIES + "10,Jaws,Horror\n", "Line 4 .*lists movie 10 once more"),
        (CSV_MOVIES.encode("latin-1"), "Line 2 .*not UTF-8"),
    ],
)
def test_a_wrong_movie_is_named_by_its_line(tmp_path, movies, complaint):
    source = write(tmp_path / "ml", {"ratings.csv": CSV_RATINGS, "movies.csv": movies})
    with pytest.raises(LikelyError, match=complaint):
        read_movielens(source)


def test_sources_that_are_no_release(tmp_path):
    with pytest.raises(LikelyError, match="no folder or zip"):
        read_movielens(tmp_path / "none")
    with pytest.raises(LikelyError, match="holds no MovieLens ratings"):
        read_movielens(write(tmp_path / "empty", {"notes.txt": "x"}))
    with pytest.raises(LikelyError, match="no movies.csv beside it"):
        read_movielens(write(tmp_path / "half", {"ratings.csv": CSV_RATINGS}))
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(LikelyError, match="not a readable zip"):
        read_movielens(tmp_path / "broken.zip")


def test_a_zip_with_a_damaged_member_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "ml.zip", "w") as archive:
        archive.writestr("ratings.csv", CSV_RATINGS)
        archive.writestr("movies.csv", CSV_MOVIES)
    data = bytearray((tmp_path / "ml.zip").read_bytes())
    data[data.index(b"1,10,4.5") + 2] ^= 0xFF
    (tmp_path / "ml.zip").write_bytes(data)
    with pytest.raises(LikelyError, match="cannot be read"):
        read_movielens(tmp_path / "ml.zip")
