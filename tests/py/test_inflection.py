# SPDX-License-Identifier: MIT
"""English and Swedish words, by the tables of the reference (section 25) with its wrong rows mended."""

import re

import pytest
from smisk.inflection import Inflector, inflections
from smisk.inflection import inflection as en
from smisk.inflection.sv import inflection as sv

# Both ways.
PAIRS = """
post posts|word words|cat cats|day days|key keys|category categories|city cities|query queries|user users|box boxes
church churches|glass glasses|dish dishes|address addresses|octopus octopi|virus viri|CamelOctopus CamelOctopi
axis axes|testis testes|crisis crises|analysis analyses|datum data|medium media|matrix matrices|vertex vertices
index indices|alias aliases|status statuses|bus buses|buffalo buffaloes|tomato tomatoes|hive hives|mouse mice|louse lice
house houses|ox oxen|boxer boxers|quiz quizzes|shoe shoes|person people|Person People|man men|mailman mailmen
woman women|child children|sex sexes|move moves|movie movies|wife wives|wolf wolves|half halves|knife knives
human humans|German Germans|thesis theses|diagnosis diagnoses|basis bases|database databases|blouse blouses|safe safes
wave waves|taxi taxis|leaf leafs|the blue mailman the blue mailmen
"""
UNCOUNTABLE = "equipment information rice money species series fish sheep commotion news Fish"
# What looks like a plural and is none.
SINGULARS = "address status bus octopus virus alias crisis axis news glass"

ORDINALS = "0th 1st 2nd 3rd 4th 8th 11th 12th 13th 21st 22nd 23rd 101st 111th 112th 1002nd 9876th -1st"

SWEDISH = """
bil bilar|båt båtar|katt katter|peng pengar|man män|person personer|huvud huvuden|folk folk|vittne vittnen
morsa morsor|liten små|stor stora|ny nya|rik rika|dum dumma|stum stumma|kvinna kvinnor|intressant intressanta
given givna|ven vener|hand händer|land länder|kviga kvigor|mun munnar|ros rosor|lus löss|mus möss|kust kuster
lust lustar|pojke pojkar|flicka flickor|snorkel snorklar|fader fädrar|moder mödrar|korn korn|Hand Händer|Liten Små
farmoder farmödrar|majskorn majskorn
"""
SWEDISH_UNCOUNTABLE = "folk ris får sex lokomotiv lok rum barn förtjusande brev hus gift"


def pairs(table: str) -> list[tuple[str, str]]:
    """The words of a table; where there are four and more, half of them are the singular."""
    rows = [row.split() for row in re.split(r"[|\n]", table) if row.strip()]
    return [(" ".join(row[: len(row) // 2]), " ".join(row[len(row) // 2 :])) for row in rows]


@pytest.mark.parametrize(("singular", "plural"), pairs(PAIRS))
def test_english_words_are_inflected_both_ways(singular, plural):
    assert (en.pluralize(singular), en.singularize(plural)) == (plural, singular)


def test_leaves_are_singularized():
    assert [en.singularize(word) for word in ("leaves", "loaves", "thieves")] == ["leaf", "loaf", "thief"]


@pytest.mark.parametrize("word", UNCOUNTABLE.split())
def test_english_uncountable_words_stay(word):
    assert (en.pluralize(word), en.singularize(word)) == (word, word)


@pytest.mark.parametrize("word", SINGULARS.split())
def test_english_singulars_stay_singular(word):
    assert en.singularize(word) == word


def test_english_plural_stays_plural():
    assert en.pluralize("words") == "words"


@pytest.mark.parametrize(("singular", "plural"), pairs(SWEDISH))
def test_swedish_words_are_inflected_both_ways(singular, plural):
    assert (sv.pluralize(singular), sv.singularize(plural)) == (plural, singular)


@pytest.mark.parametrize("word", SWEDISH_UNCOUNTABLE.split())
def test_swedish_uncountable_words_stay(word):
    assert (sv.pluralize(word), sv.singularize(word)) == (word, word)


@pytest.mark.parametrize(("singular", "plural"), [("train", "trainer"), ("post", "poster")])
def test_swedish_words_of_the_old_test_are_inflected(singular, plural):
    assert sv.pluralize(singular) == plural


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1:a"), (2, "2:a"), (3, "3:e"), (11, "11:e"), (12, "12:e"), (21, "21:a"), (500, "500:e"), (921.3, "921:a")],
)
def test_swedish_ordinals_end_by_their_last_digits(number, text):
    assert sv.ordinalize(number) == text


@pytest.mark.parametrize("text", ORDINALS.split())
def test_english_ordinals_end_by_their_last_digits(text):
    assert en.ordinalize(text[:-2]) == text


def test_ordinal_of_no_number_is_an_error():
    with pytest.raises(ValueError, match="x"):
        en.ordinalize("x")


@pytest.mark.parametrize(
    ("method", "word", "expected"),
    [
        ("camelize", "active_record", "ActiveRecord"),
        ("camelize", "active_record/errors", "ActiveRecord.Errors"),
        ("camelize", "a_b_c", "ABC"),
        ("camelize", "HTML_page", "HTMLPage"),
        ("camelize", "", ""),
        ("underscore", "ActiveRecord", "active_record"),
        ("underscore", "ActiveRecord.Errors", "active_record/errors"),
        ("underscore", "HTMLPage", "html_page"),
        ("underscore", "fooBar", "foo_bar"),
        ("underscore", "foo-bar", "foo_bar"),
        ("underscore", "ABC", "abc"),
        ("underscore", "abcDEF", "abc_def"),
        ("underscore", "Foo2Bar", "foo2_bar"),
        ("humanize", "employee_salary", "Employee salary"),
        ("humanize", "author_id", "Author"),
        ("humanize", "_id", ""),
        ("humanize", "id", "Id"),
        ("demodulize", "A.B.C", "C"),
        ("demodulize", "C", "C"),
        ("tableize", "RawScaledScorer", "raw_scaled_scorers"),
        ("tableize", "egg_and_ham", "egg_and_hams"),
        ("tableize", "fancyCategory", "fancy_categories"),
        ("tableize", "Person", "people"),
        ("tableize", "a.Post", "a/posts"),
        ("classify", "egg_and_hams", "EggAndHam"),
        ("classify", "categories", "Category"),
        ("classify", "app.posts", "Post"),
        ("classify", "people", "Person"),
        ("foreignKey", "Message", "message_id"),
        ("foreignKey", "admin.Post", "post_id"),
    ],
)
def test_names_are_transformed(method, word, expected):
    assert getattr(en, method)(word) == expected


def test_lower_camel_case_begins_with_a_small_letter():
    assert en.camelize("active_record/errors", False) == "activeRecord.Errors"
    assert en.camelize("Active", False) == "active"


def test_foreign_key_goes_without_its_underscore():
    assert en.foreignKey("Message", False) == "messageid"


def test_inflectors_are_registered_by_locale():
    assert [inflections[name] for name in ("en", "en_EN", "eng")] == [en] * 3
    assert [inflections[name] for name in ("sv", "sv_SV")] == [sv] * 2


@pytest.fixture
def own():
    inflector = Inflector("xx")
    yield inflector
    del inflections["xx"]


def test_newest_rule_is_tried_first(own):
    own.plural(re.compile("$"), "s")
    own.regular("o$", "oj", "oj$", "o")
    assert (own.pluralize("hundo"), own.singularize("hundoj"), own.pluralize("x")) == ("hundoj", "hundo", "xs")
    assert len(own.plurals) == 2 and len(own.singulars) == 1


def test_regular_rules_ignore_case(own):
    own.regular("o$", "oj", "oj$", "o")
    assert own.pluralize("HUNDO") == "HUNDoj"


@pytest.mark.parametrize(("word", "expected"), [("go", "went"), ("Go", "Went"), ("undergo", "underwent")])
def test_irregular_words_with_another_first_letter_keep_its_case(own, word, expected):
    own.irregular("go", "went", False)
    assert (own.pluralize(word), own.singularize(expected)) == (expected, word)


def test_irregular_words_are_no_patterns(own):
    own.irregular("a.b", r"a\1")
    assert (own.pluralize("a.b"), own.pluralize("axb"), own.singularize(r"a\1")) == (r"a\1", "axb", "a.b")


def test_cleared_inflector_leaves_words_alone(own):
    own.plural("$", "s")
    own.uncountable("Fish")
    assert own.uncountables == ["fish"]
    own.clear()
    assert (own.pluralize("word"), own.plurals, own.singulars, own.uncountables) == ("word", [], [], [])
