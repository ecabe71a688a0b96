"""From bylines to people: names without "By", roles, contacts and agencies."""

import re

_BY = re.compile(
    r"^(?:(?:insights|written|posted|published|reported|reviewed|edited|story|article|words|text|analysis|"
    r"opinion)\s+)?(?:from\s+)?"
    r"(?:by|von|par|por|di|da|door|av|af|przez|oleh|yazan|author|authors|autor|autorin|autoren|auteur|редактор|"
    r"автор|текст)"
    r"(?:\s*[:：]\s*|\s+)|^(?:作者|文|撰文|记者|記者|编辑|編輯|责任编辑|責任編輯|来源|采写)\s*[:：/／|｜]?\s*",
    re.IGNORECASE,
)
_PARTS = re.compile(
    r"\s*(?:[;；、|｜•·\n]|\s/\s|,?\s+(?:and|und|et|y|og|och|en|ja|ve|i|oraz|with|&|e)\s+|\s&\s)\s*", re.IGNORECASE
)
_CONJUNCTION = re.compile(r"(?:^|\s)(?:and|und|et|y|og|och|&)(?:\s|$)|,\s*$", re.IGNORECASE | re.MULTILINE)
_COMMA = re.compile(r"\s*[,，]\s*")
_NOISE = re.compile(
    r"https?://|www\.|@|\d{3,}|\d:\d|\b(?:jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]*\.? \d|"
    r"\b(?:twitter|facebook|linkedin|instagram|whatsapp|e-?mail)\b|\b\d{1,2}[.:]\d{2}\b|\b(?:minutes?|updated?|"
    r"published|posted|share|follow|read|more|subscribe|comments?|photo|"
    r"getty|image|bio|profile|view all|articles?|posts)\b",
    re.IGNORECASE,
)
_ROLE = re.compile(
    r"\b(?:staff|editor|reporter|correspondent|writer|journalist|contributor|columnist|producer|anchor|chief|bureau|"
    r"senior|manager|director|analyst|expert|founder|head of|ceo|cto|specialist|consultant|reviewer|educators?|"
    r"gardener|reader|ph\.?d|m\.?d|rn|cfp|redakt\w+|korrespondent\w*|journalistin?|redacci[oó]n)\b",
    re.IGNORECASE,
)
# A name's last part that keeps its full stop: "Jr.", "C.J."
_ABBREVIATED = re.compile(r"(?:\b[JS]r|\.[A-Z])$")
_BRACKETED = re.compile(r"\s*[(\[（【][^()\[\]（）【】]{0,80}[)\]）】]\s*")
_AGENCIES = {
    "afp": "AFP", "agence france-presse": "AFP", "法新社": "AFP", "reuters": "Reuters", "路透社": "Reuters",
    "路透": "Reuters",
    "ap": "AP", "associated press": "AP", "the associated press": "AP", "美联社": "AP", "美聯社": "AP", "dpa": "dpa",
    "apa": "APA", "sda": "SDA", "keystone-sda": "SDA", "epd": "epd", "kna": "KNA", "sid": "SID", "efe": "EFE",
    "ansa": "ANSA",
    "upi": "UPI", "pa": "PA", "pa media": "PA", "press association": "PA", "bloomberg": "Bloomberg",
    "xinhua": "Xinhua",
    "新华社": "Xinhua", "新華社": "Xinhua", "中新社": "CNS", "中新网": "CNS", "中央社": "CNA", "tass": "TASS",
    "pap": "PAP",
    "ntb": "NTB", "tt": "TT", "ritzau": "Ritzau", "belga": "Belga", "anp": "ANP", "lusa": "Lusa", "kyodo": "Kyodo",
    "共同社": "Kyodo", "yonhap": "Yonhap", "韩联社": "Yonhap", "pti": "PTI", "ani": "ANI", "ians": "IANS",
    "cnn wire": "CNN",
}  # fmt: skip
_NOT_PEOPLE = re.compile(
    r"^(?:admin(?:istrator)?|staff|editor(?:s|ial)?|editorial (?:team|staff|board)|redaktion|die redaktion|"
    r"unserer redaktion|von|nachrichten|news|by|written by|von unserem? .*|par|di|por|af|av|redacción|"
    r"la rédaction|news ?desk|web ?desk|online ?desk|guest|unknown|anonymous|none|null|undefined|true|false|n/a|"
    r"author|"
    r"team|newsroom|press release|wordpress|user|test|by|本报|本站|佚名|网络|综合)$",
    re.IGNORECASE,
)
# What stands beside the names of a byline on the page: numbers, dates, "Reviewed by", the beginnings of sentences.
_NOT_IN_NAMES = re.compile(
    r"\d|:$|\b(?:by|from|the|at|your|our)$|^(?:the|text|words|role)\b|\b(?:mon|tues?|wed|thu|fri|sat|sun)\b|\bmay$",
    re.IGNORECASE,
)
_LONGEST_NAME = 60


def is_nobody(text: str) -> bool:
    """Whether what stands for an author is a placeholder: "admin", "staff", an address, a role."""
    return not any(map(str.isalpha, text)) or bool(_NOT_PEOPLE.match(text.strip()) or _NOISE.search(text))


def without_by(text: str) -> str:
    """A byline's text without the "By" it begins with; empty if it is no more than that."""
    bare = _BY.sub("", text + " ").strip()
    return "" if bare.endswith((":", "：")) else bare


def is_signed_name(name: str) -> bool:
    """Whether what stands in a byline on the page, among dates, roles and buttons, looks like a name of somebody."""
    return not _NOT_IN_NAMES.search(name)


def has_conjunction(text: str) -> bool:
    """Whether a byline names several people in one sentence, which then must not be cut at its markup."""
    return bool(_CONJUNCTION.search(text))


def without_roles(pieces: list[str]) -> list[str]:
    """A byline's pieces without those that only say what its people do."""
    return [piece for piece in pieces if not _ROLE.search(piece) or _COMMA.search(piece) or _BY.match(piece)]


def agency_of(name: str) -> str | None:
    """The news agency a byline's part names, in its usual short form."""
    return _AGENCIES.get(name.strip(" .()").lower())


def split_byline(text: str) -> tuple[list[str], str | None]:
    """The people a byline names, in order, and the agency beside them."""
    if len(text) > 400:
        return [], None
    text = _BRACKETED.sub(" ", _BY.sub("", " ".join(text.split(" ")).strip()))
    people: list[str] = []
    agency: str | None = None
    for part in _PARTS.split(text):
        for piece in _comma_pieces(part):
            bare = piece.strip(" \t,.:–—-|/")
            name = _BY.sub("", bare + "." if _ABBREVIATED.search(bare) and f"{bare}." in piece else bare)
            if _ROLE.fullmatch(name) or (people and _ROLE.search(name)):
                continue
            if found := agency_of(name):
                agency = agency or found
            elif is_name(name) and name not in people:
                people.append(name)
    return people, agency


def _comma_pieces(part: str) -> list[str]:
    """A list of names comes apart at its commas; what follows a name as its role or place is left out."""
    pieces = _COMMA.split(part.strip())
    if len(pieces) == 1:
        return pieces
    if len(pieces) == 2 and all(len(piece.split()) == 1 for piece in pieces) and part.isascii():
        return [f"{pieces[1]} {pieces[0]}"] if "," in part and not agency_of(pieces[1]) else pieces
    return [
        piece
        for i, piece in enumerate(pieces)
        if i == 0 or (not _ROLE.search(piece) and len(piece.split()) > 1) or agency_of(piece)
    ]


def is_name(text: str) -> bool:
    """Whether a text could be the name of a person or a desk that signs as one."""
    if not 2 <= len(text) <= _LONGEST_NAME or len(text.split()) > 6:
        return False
    return not (_NOISE.search(text) or _NOT_PEOPLE.match(text)) and any(c.isalpha() for c in text)
