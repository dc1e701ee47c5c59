"""Names of countries, in English and in their own language, to ISO 3166 codes."""

from functools import cache
from typing import Final

from features.fold import fold

_NAMES: Final = """
AE: united arab emirates, uae, emirates, الإمارات | AR: argentina | AT: austria, österreich, aut
AU: australia, aus | BE: belgium, belgië, belgique, belgien | BG: bulgaria, българия
BR: brazil, brasil, brasilien, bra, 巴西 | CA: canada, kanada, can, 加拿大
CH: switzerland, schweiz, suisse, svizzera, suíça, che | CL: chile
CN: china, people's republic of china, prc, kina, chn, 中国, 中华人民共和国 | CO: colombia | CY: cyprus
CZ: czech republic, czechia, česko, tschechien | DE: germany, deutschland, tyskland, alemanha, deu, ger, 德国
DK: denmark, danmark, dänemark, dinamarca, dnk | EE: estonia, eesti, estland | EG: egypt
ES: spain, españa, spanien, espanha, esp | FI: finland, suomi, fin
FR: france, frankrike, frankreich, frança, fra, 法国
GB: united kingdom, uk, great britain, england, scotland, wales
GB: northern ireland, storbritannien, storbritannia, großbritannien, reino unido, gbr, 英国
GR: greece, ελλάδα, hellas | HK: hong kong, hong kong sar, 香港 | HR: croatia, hrvatska
HU: hungary, magyarország, ungern, ungarn | ID: indonesia | IE: ireland, irland, éire, irlanda | IL: israel
IN: india, bharat, indien, ind, 印度 | IS: iceland, ísland, island | IT: italy, italia, italien, itália, ita
JP: japan, 日本, japão, jpn | KE: kenya | KR: south korea, republic of korea, korea, 대한민국, 한국, 韩国
LT: lithuania, lietuva, litauen | LU: luxembourg, luxemburg | LV: latvia, latvija, lettland | MA: morocco, maroc
MO: macau, macao, 澳门 | MT: malta | MX: mexico, méxico, mexiko | MY: malaysia | NG: nigeria
NL: netherlands, the netherlands, nederland, holland, niederlande, nederländerna, países baixos, holanda, nld
NO: norway, norge, noreg, norwegen, noruega, nor, 挪威 | NZ: new zealand | PE: peru, perú
PH: philippines, pilipinas | PK: pakistan | PL: poland, polska, polen, polônia, pol | PT: portugal, prt, 葡萄牙
RO: romania, românia, rumänien | RS: serbia, srbija | RU: russia, russian federation, россия, ryssland, russland
SA: saudi arabia, ksa, السعودية | SE: sweden, sverige, schweden, suécia, swe, 瑞典 | SG: singapore, singapur, 新加坡
SI: slovenia, slovenija | SK: slovakia, slovensko | TH: thailand | TR: turkey, türkiye, turkiet, türkei
TW: taiwan, 台湾, 臺灣 | UA: ukraine, україна, ukraina
US: united states, united states of america, usa, u.s., u.s.a., america, eua, estados unidos
US: förenta staterna, vereinigte staaten, 美国 | VN: vietnam, viet nam, việt nam
ZA: south africa, sydafrika, südafrika
"""


@cache
def country_names() -> dict[str, str]:
    """Folded name -> ISO 3166 alpha-2 code. "uk", three-letter codes of the larger countries and local names are names too."""
    entries = (entry.split(":") for line in _NAMES.strip().splitlines() for entry in line.split(" | "))
    return {fold(name.strip()): code.strip() for code, names in entries for name in names.split(",") if name.strip()}
