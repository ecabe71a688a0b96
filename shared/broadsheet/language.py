"""Which language a text is in: told by its script, then by its commonest words."""

import re
from collections import Counter
from functools import cache

_SCRIPTS = (
    ("ja", r"\u3040-\u30ff"),
    ("zh", r"\u3400-\u4dbf\u4e00-\u9fff"),
    ("ko", r"\uac00-\ud7af"),
    ("ru", r"\u0400-\u04ff"),
    ("ar", r"\u0600-\u06ff"),
    ("he", r"\u0590-\u05ff"),
    ("el", r"\u0370-\u03ff"),
    ("hi", r"\u0900-\u097f"),
    ("th", r"\u0e00-\u0e7f"),
)
# The words that make up a fifth of any text in these languages and are rare in the others.
_WORDS = {
    "en": "the of and to in that is for was with he as it on by at his from are have this not but they which "
    "has been who will",
    "de": "der die und den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus "
    "er hat dass sie nach",
    "fr": "le les des et la du un une est que dans pour qui sur par pas au plus ce avec il sont cette ont mais "
    "ses aux été elle",
    "es": "el los las que del una por con para se su como más pero sus este ha es lo son fue entre cuando muy "
    "sin sobre también",
    "pt": "o os que do da em um uma para com não se na por mais as dos como mas foi ao ele das tem à seu sua ou "
    "ser quando há",
    "it": "il di che la per un non sono con del della le si da dei alla nel più ha anche una gli delle come ma "
    "essere questo lo",
    "nl": "de het een van en in is dat op te zijn voor met niet aan er ook die door maar als bij naar om uit "
    "nog wordt worden",
    "sv": "och att det som en på är av för med den till inte har de ett om men var från vi så kan när efter vid under",
    "no": "og det som en på er av for med den til ikke har de et om men var fra vi så kan når etter ved under jeg",
    "da": "og det at som en på er af for med den til ikke har de et om men var fra vi så kan når efter ved under jeg",
    "pl": "w i na z się nie do to że jest o jak po co ale za od przez są tym jego dla tak czy był oraz tylko które",
    "tr": "ve bir bu da de için ile çok olarak daha olan gibi en sonra kadar ne ama var göre her ise olduğu değil",
    "fi": "ja on ei se että oli hän ovat mutta kun myös mukaan kuin joka sen ole vuonna tai jo niin vain sekä",
    "cs": "a se na je v že to s z do o i ve pro za by od jako ale po jsem podle která jsou které nebo byl",
    "hu": "a az és hogy nem is egy meg volt csak de mint ez már még azt kell vagy el ki lehet után szerint",
    "ro": "și în de la a cu pe din care că nu mai un o pentru este fost au prin sau ca să după dar",
    "id": "yang dan di dengan untuk ini dari pada itu tidak dalam akan juga ke oleh sebagai karena ada telah "
    "lebih bisa",
    "vi": "của và là các có được cho một trong với không những đã này người khi từ đến tại ông về cũng",
}
# What isn't Latin, so that European texts are not looked through once for each of the scripts.
# Said by what it leaves out: compiling a class takes as long as its ranges are wide, four milliseconds for the rest.
_FOREIGN = re.compile(r"[^\u0000-\u036f\u1d00-\u2bff]")
# Upper halves of UTF-16 code units: kana with the punctuation beside them, and Han; Thai and Lao. Counting bytes takes
# a tenth of what a regular expression does, and nothing to compile.
_HAN_AND_KANA = bytes([0x30, *range(0x34, 0xA0)])
_THAI = bytes([0x0E])
_SAMPLE = 4_000
_WORD = re.compile(r"[^\W\d_]+")


@cache
def _languages_of() -> dict[str, list[str]]:
    languages: dict[str, list[str]] = {}
    for language, words in _WORDS.items():
        for word in words.split():
            languages.setdefault(word, []).append(language)
    return languages


def detect(text: str) -> str | None:
    """The ISO 639-1 code of a text of at least a sentence, or None if nothing speaks clearly."""
    sample = text[:_SAMPLE]
    words = _WORD.findall(sample.lower())
    # Kana make up a third of Japanese, Latin words a part of any language: a fifth of the letters decides.
    enough = 0.2 * sum(map(len, words))
    if len(_FOREIGN.findall(sample)) > enough:
        for language, script in _SCRIPTS:
            if len(re.findall(f"[{script}]", sample)) > enough:
                return _cyrillic(sample) if language == "ru" else language
    counts: dict[str, float] = {}
    known = _languages_of()
    for word, times in Counter(words).items():
        for language in known.get(word, ()):
            counts[language] = counts.get(language, 0) + times / len(known[word])
    if not counts:
        return None
    best = max(counts, key=lambda language: counts[language])
    return best if counts[best] >= max(2, 0.04 * len(words)) else None


def _cyrillic(sample: str) -> str:
    if re.search(r"[їєґі]", sample):
        return "uk"
    return "ru"


def han_and_kana(text: str) -> int:
    """How many of a text's characters are Han or kana, or punctuation of theirs."""
    return _count(text, _HAN_AND_KANA)


def _count(text: str, halves: bytes) -> int:
    if text.isascii():
        return 0
    uppers = text.encode("utf-16-be", "surrogatepass")[::2]
    return len(uppers) - len(uppers.translate(None, halves))


def writes_without_spaces(text: str) -> bool:
    """Whether a text's length is counted in characters: Chinese, Japanese and Thai."""
    sample = text[:_SAMPLE]
    dense = _count(sample, _HAN_AND_KANA + _THAI)
    return dense > 0 and dense > 0.3 * sum(map(len, _WORD.findall(sample)))
