"""The files of the live page, as the server hands them out."""

import gzip
import re
from importlib.resources import files

import pytest

import gear
from support.http_asking import ask

pytest_plugins = ["support.fix_http"]

PAGE = files("gear_server.http").joinpath("page")
NAMES = sorted(path.name for path in PAGE.iterdir() if not path.name.startswith("."))


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/page/page.css", "text/css; charset=utf-8"),
        ("/page/page.js", "text/javascript; charset=utf-8"),
        ("/page/icon.svg", "image/svg+xml; charset=utf-8"),
    ],
)
def test_files_have_their_types_and_tags(
    http_server: gear.Server, path: str, content_type: str
) -> None:
    answer = ask(http_server.http_port, path)
    assert answer.status == 200 and answer.headers["content-type"] == content_type
    assert answer.headers["cache-control"] == "no-cache"
    assert "content-encoding" not in answer.headers
    packed = ask(http_server.http_port, path, headers={"Accept-Encoding": "br, gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == answer.body
    etag = answer.headers["etag"]
    assert packed.headers["etag"] == etag
    same = ask(http_server.http_port, path, headers={"If-None-Match": etag})
    assert (same.status, same.body, same.headers["etag"]) == (304, b"", etag)
    other = ask(http_server.http_port, path, headers={"If-None-Match": '"another"'})
    assert other.status == 200


@pytest.mark.parametrize("name", ["nothing.js", "../pages.py", "%2e%2e/pages.py", "__init__.py"])
def test_nothing_else_is_a_file_of_the_page(http_server: gear.Server, name: str) -> None:
    assert ask(http_server.http_port, f"/page/{name}").status == 404


def test_the_page_names_each_of_its_modules_and_no_other_host() -> None:
    index = PAGE.joinpath("index.html").read_text()
    loaded = set(re.findall(r'(?:href|src)="page/([a-z.]+)"', index))
    assert loaded == set(NAMES) - {"index.html"}
    for name in NAMES:
        text = PAGE.joinpath(name).read_text()
        others = set(re.findall(r"https?://[^\"\s]+", text)) - {"http://www.w3.org/2000/svg"}
        assert not others, f"{name} names {others}"
        assert "innerHTML" not in text and "style=" not in text


def test_a_module_imports_what_there_is() -> None:
    for name in NAMES:
        text = PAGE.joinpath(name).read_text()
        for names, module in re.findall(r'^import \{([^}]+)\} from "\./([a-z.]+)";', text, re.M):
            exported = PAGE.joinpath(module).read_text()
            for each in re.findall(r"\w+", names):
                assert re.search(rf"^export .*\b{each}\b", exported, re.M), f"{name}: {each}"
                uses = re.findall(rf"\b{each}\b", text)
                assert len(uses) > 1, f"{name} does not use {each}"
