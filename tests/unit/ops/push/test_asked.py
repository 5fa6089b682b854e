"""`slipway.toml`: what is taken, and that all else is refused with a line of its own."""

import pytest

from ops.push.asked import Release, Train, UnusableError, parse


def problems(text: str) -> list[str]:
    with pytest.raises(UnusableError) as caught:
        parse(text.encode())
    assert not [line for line in caught.value.problems if "\n" in line]
    return caught.value.problems


def test_a_training_has_a_pipeline_and_may_have_data() -> None:
    assert parse(b'[train]\npipeline = "pipelines/x.py"\n') == Train("pipelines/x.py")
    assert parse(b'[train]\npipeline = "x.py"\ndata = "rows.csv"\n') == Train("x.py", "rows.csv")


def test_a_release_has_modules_packages_or_models() -> None:
    text = b'[release]\nmodules = ["shop", "tax.py"]\nrequirements = ["xgboost>=2"]\nmodels = ["a@b", "c/3"]\n'
    assert parse(text) == Release(("shop", "tax.py"), ("xgboost>=2",), ("a@b", "c/3"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has neither [train] nor [release], and must have one of them"),
        ('[train]\npipeline = "x.py"\n[release]\nmodules = ["y.py"]\n', "has both [train] and [release]"),
        ("train = 3\n", "train is 3, and must be a table: [train]"),
        ("[train]\n", "train.pipeline is missing"),
        ("[train]\npipeline = 3\n", "train.pipeline is 3, and must be a text"),
        ('[train]\npipeline = ""\n', "train.pipeline is '', and must be a text"),
        ('[train]\npipeline = "../x.py"\n', "train.pipeline has '../x.py', and must be a path inside"),
        ('[train]\npipeline = "/etc/x.py"\n', "train.pipeline has '/etc/x.py', and must be a path inside"),
        ('[train]\npipeline = "x.sh"\n', "train.pipeline is 'x.sh', and must be a Python file"),
        ('[train]\npipeline = "my-x.py"\n', "train.pipeline is 'my-x.py', and must be a Python file"),
        ('[train]\npipeline = "x.py"\ndata = ["a"]\n', "train.data is ['a'], and must be a text"),
        ('[train]\npipeline = "x.py"\ndata = "postgresql://u:p@h/d"\n', "train.data holds a password"),
        ('[train]\npipeline = "x.py"\nmodel = "y"\n', "there is no train.model"),
        ('[trian]\npipeline = "x.py"\n', "there is no trian: did you mean train?"),
        ("[release]\n", "[release] is empty"),
        ('[release]\nmodules = "shop"\n', "release.modules is 'shop', and must be a list of texts"),
        ('[release]\nmodules = ["my-shop"]\n', "release.modules has 'my-shop', which cannot be imported"),
        ('[release]\nmodules = [".git"]\n', "release.modules has '.git', and must be a path inside"),
        ('[release]\nrequirements = ["=="]\n', "release.requirements has '==', which no index"),
        ('[release]\nrequirements = ["a @ https://x/a.whl"]\n', "which no index of packages has"),
        ('[release]\nmodels = ["prices"]\n', "release.models has 'prices', and must have NAME@ALIAS or NAME/VERSION"),
    ],
)
def test_what_is_wrong_is_one_line(text: str, told: str) -> None:
    assert [line for line in problems(text) if told in line], problems(text)


def test_all_that_is_wrong_is_said_at_once() -> None:
    assert len(problems('[train]\npipeline = "../x.sh"\ndata = 1\nwhen = "now"\n')) == 4


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(UnusableError, match=r"slipway\.toml is not UTF-8"):
        parse(b"\xff\xfe")
