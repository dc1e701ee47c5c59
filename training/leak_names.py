"""Names of fields that speak of an outcome or of somebody's judgement, in the six languages: what a name alone makes suspicious."""

import re

from features.fold import fold

_WORDS = {
    "en": "quality profile score scores scoring index tag tags last latest duration status reason reasons rating grade outcome result won lost "
    "closed converted conversion",
    "sv": "kvalitet profil poang etikett etiketter taggar senaste senast sista varaktighet orsak anledning betyg utfall resultat vunnen forlorad",
    "de": "qualitat qualitaet punktzahl bewertung schlagwort schlagworte schlagworter schlagwoerter etikett letzte letzter letztes letzten dauer "
    "zustand grund ergebnis gewonnen verloren",
    "pt": "qualidade perfil pontuacao indice etiqueta etiquetas marcador marcadores ultimo ultima duracao situacao motivo razao resultado "
    "ganho perdido",
    "nb": "poengsum poeng indeks etiketter tagger merkelapp siste sist varighet arsak grunn utfall vunnet tapt",
}
"""Whole words, folded (lower case, no accents)."""
_OPENINGS = "letzte senaste siste ultima ultimo"
_ENDINGS = (
    "kvalitet qualitat qualitaet profil profile score index indeks status orsak arsak anledning dauer varaktighet varighet ablehnungsgrund "
    "verlustgrund absagegrund bewertung poang poengsum"
)
"""How German, Swedish and Norwegian words are put together: `Leadqualität`, `samtalsvaraktighet`, `letztekontakt`."""
_CHINESE = (
    "质量 品质 画像 评分 得分 分数 打分 评级 指数 标签 最后 最近 上次 时长 持续时间 状态 原因 理由 结果 結果 "
    "質量 品質 畫像 評分 得分 分數 評級 指數 標籤 標簽 最後 最近 時長 持續時間 狀態"
)
_HONEST = (
    "last name",
    "lasts name",
    "index fund",
    "index funds",
    "marital status",
    "civil status",
    "family status",
    "employment status",
    "residence status",
    "stato civil",
    "razao social",
    "razao da empresa",
    "tag der",
    "tag des",
    "sista namn",
    "letzter name",
    "ultimo nome",
    "company profile",
    "profile url",
    "profile link",
    "linkedin profile",
    "postal index",
    "situacao civil",
)
"""Phrases in which such a word means something that is known from the start."""
_HONEST_CHINESE = ("婚姻状态", "婚姻狀態")

_KNOWN = frozenset(word for words in _WORDS.values() for word in words.split())
_STARTS = tuple(_OPENINGS.split())
_ENDS = tuple(_ENDINGS.split())
_HAN = tuple(_CHINESE.split())
_SEAM = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-ZÅÄÖØÆÜ])|(?<=[A-Z])(?=[A-Z][a-z])")


def words_of(name: str) -> list[str]:
    """The words of a column's name, folded: `LetzteAktivität` and `letzte_aktivität2` -> letzte, aktivitat. Numbers are no words."""
    return re.findall(r"[^\W\d_]+", fold(_SEAM.sub(" ", name)))


def telling_word(name: str) -> str | None:
    """The word by which a name speaks of an outcome or a judgement; None if it does not. `lastname`, `blast` and `marital_status` don't."""
    words = words_of(name)
    said = " ".join(words)
    for phrase in _HONEST:
        said = re.sub(rf"\b{phrase}\b", " ", said)
    for word in said.split():
        if word in _KNOWN or word in _ENDS or _joined(word):
            return word
    plain = name
    for phrase in _HONEST_CHINESE:
        plain = plain.replace(phrase, "")
    return next((word for word in _HAN if word in plain), None)


def _joined(word: str) -> bool:
    return any(word.startswith(start) and len(word) >= len(start) + 4 for start in _STARTS) or any(
        word.endswith(end) and len(word) >= len(end) + 3 for end in _ENDS if len(end) >= 5
    )


_KEYS = "id ids uuid guid key nr no number nummer numero numer schlussel nyckel nokkel codigo code kennung kod kode ref"
_KEY_WORDS = frozenset(_KEYS.split())
_HAN_KEYS = ("编号", "編號", "序号", "序號", "号码", "號碼")


def is_key(name: str) -> bool:
    """Whether a name says that the column holds keys: `Lead Number`, `kundnummer`, `prospect_id`, `编号`."""
    words = words_of(name)
    last = words[-1] if words else ""
    return last in _KEY_WORDS or last.endswith(("nummer", "numero")) or words[:1] == ["id"] or any(word in name for word in _HAN_KEYS)
