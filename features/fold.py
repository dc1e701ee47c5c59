"""Text as the word tables of titles and countries hold it: one case, one width, no accents."""

import unicodedata
from typing import Final

_LETTERS: Final = str.maketrans(
    "åäáàâãæöóòôõøüúùûéèêëíìîïçñ經總裁長務業產會計師銷財員責負區術際顧問關門開發進學專電資創辦營運執軟體採購競爭導講醫護廠國臺灣",
    "aaaaaaaoooooouuuueeeeiiiicn经总裁长务业产会计师销财员责负区术际顾问关门开发进学专电资创办营运执软体采购竞争导讲医护厂国台湾",
)


def fold(text: str) -> str:
    """Lower case, full-width to half-width, accents off (å, ä, æ -> a), traditional Chinese of titles to simplified.

    Never fails; a letter it does not know stays as it is. `fold("Försäljningschef") == "forsaljningschef"`.
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", text).casefold()).translate(_LETTERS)
