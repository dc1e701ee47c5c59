"""Job titles: what people of six languages call themselves, the false friends among it, and rules that hold for any text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.title_areas import AREAS, HINTS
from features.title_lexicon import lexicon
from features.title_people import PEOPLE
from features.title_words import RANKS
from features.titles import FUNCTIONS, Title, parse_title

ENGLISH = """
CEO = 6 executive | Founder & CEO = 6 executive | Managing Director = 6 executive | Owner = 6 executive
President = 6 executive
CTO = 6 engineering | Chief Marketing Officer = 6 marketing | Chief Risk Officer = 6 finance
Chief Happiness Officer = 6 None
Vice President = 5 None | Vice President, Sales = 5 sales | SVP Global Supply Chain = 5 operations
V.P. of Engineering = 5 engineering
Director of Human Resources = 4 hr | Head of Sales & Marketing = 4 sales | Procurement Director = 4 purchasing
Finance Director = 4 finance
IT Manager = 3 it | Marketing Mgr = 3 marketing | Warehouse Supervisor = 3 operations
Engineering Team Lead = 3 engineering
Sr. Software Engineer = 2 engineering | Principal Scientist = 2 research | Senior Legal Counsel = 2 legal
Lead Developer = 2 engineering
Data Analyst = 1 it | Buyer = 1 purchasing | Accountant = 1 finance | Recruiter = 1 hr
Registered Nurse = 1 other | Teacher = 1 education
Customer Support Representative = 1 support | Junior Accountant = 1 finance | Sales Assistant = 0 sales
Marketing Intern = 0 marketing
Student = 0 None | General Manager = 5 executive | Partner = 6 None | Human Resource Manager = 3 hr | Lawyer = 1 legal
"""
SWEDISH = """
VD = 6 executive | Verkställande direktör = 6 executive | VD och grundare = 6 executive
Delägare = 6 executive | Vice VD = 5 executive
Tf. VD = 6 executive | Styrelseordförande = 6 executive | Försäljningsdirektör = 4 sales | HR-direktör = 4 hr
Rektor = 4 education
Försäljningschef = 3 sales | Marknadschef = 3 marketing | Ekonomichef = 3 finance | Inköpschef = 3 purchasing
IT-chef = 3 it
Personalchef = 3 hr | Produktionschef = 3 operations | Teknisk chef = 3 engineering
Chef för kundtjänst = 3 support | Projektledare = 3 operations
Biträdande marknadschef = 2 marketing | Marknadsansvarig = 2 marketing | Senior utvecklare = 2 engineering
Säljare = 1 sales
Inköpare = 1 purchasing | Systemutvecklare = 1 engineering | Redovisningskonsult = 1 finance
Bolagsjurist = 1 legal | Forskare = 1 research
Lärare = 1 education | Sjuksköterska = 1 other | Handläggare = 1 None | Marknadsassistent = 0 marketing
Praktikant = 0 None
VD-sekreterare = 0 operations | Forsaljningschef = 3 sales | FÖRSÄLJNINGSCHEFEN = 3 sales
Driftchef = 3 operations | Lagerchef = 3 operations
"""
GERMAN = """
Geschäftsführer = 6 executive | Geschäftsführerin = 6 executive | Geschäftsführer:in = 6 executive
Geschaeftsfuehrer = 6 executive
Inhaberin = 6 executive | Vorstand = 6 executive | Gründer = 6 executive
Stellvertretender Geschäftsführer = 5 executive | GF = 6 executive
Einkaufsleiter = 4 purchasing | Vertriebsleiterin = 4 sales | Leiter Personal = 4 hr
Leiterin der Buchhaltung = 4 finance | IT-Leiter = 4 it
Leitung Marketing = 4 marketing | Bereichsleiter Produktion = 4 operations
Technischer Leiter = 4 engineering | Kaufmännische Leiterin = 4 finance
Stv. Leiter Einkauf = 3 purchasing | Teamleiter Kundenservice = 3 support | Projektleiterin = 3 operations
Vertriebsmanager = 3 sales
Entwicklungsingenieur = 1 engineering | Softwareentwickler*in = 1 engineering | Verkäuferin = 1 sales
Sachbearbeiterin Einkauf = 1 purchasing
Rechtsanwältin = 1 legal | Buchhalter/in = 1 finance | Personalreferent (m/w/d) = 1 hr
Vertriebsmitarbeiter = 1 sales | Lehrer = 1 education
Datenschutzbeauftragter = 2 legal | Leiter Forschung und Entwicklung = 4 research | Ärztin = 1 other
Werkstudent IT = 0 it
Assistentin der Geschäftsführung = 0 operations | Auszubildende = 0 None | Vorstandsassistent = 0 operations
Qualitätsleiter = 4 operations
"""
PORTUGUESE = """
Diretor Geral = 6 executive | Diretora Geral = 6 executive | Sócio-administrador = 6 executive
Proprietária = 6 executive | Fundador = 6 executive
Diretor Presidente = 6 executive | Vice-presidente de Operações = 5 operations | Diretora Comercial = 4 sales
Diretor de TI = 4 it
Diretor(a) Financeiro(a) = 4 finance | Diretora de Marketing = 4 marketing | Diretor Jurídico = 4 legal
Diretor Industrial = 4 operations
Gerente de Vendas = 3 sales | Gerente de Compras = 3 purchasing | Coordenadora de RH = 3 hr
Chefe de Cozinha = 3 other
Supervisor de Produção = 3 operations | Gerente Administrativo = 3 operations
Coordenador Pedagógico = 3 education | Diretor Adjunto = 3 None
Analista de Sistemas Sênior = 2 it | Diretor de arte = 2 marketing | Vendedora = 1 sales
Comprador = 1 purchasing | Advogada = 1 legal
Engenheira de Software = 1 engineering | Contadora = 1 finance | Pesquisador = 1 research
Técnico de TI = 1 it | Médica = 1 other
Analista de Suporte = 1 support | Enfermeira = 1 other | Estagiária de Marketing = 0 marketing
Assistente do Diretor Financeiro = 0 finance
Auxiliar Administrativo = 0 operations | GERENTE FINANCEIRO = 3 finance | Empresária = 6 executive
"""
NORWEGIAN = """
Daglig leder = 6 executive | Administrerende direktør = 6 executive | Adm. dir. = 6 executive
Eier = 6 executive | Styreleder = 6 executive
Konsernsjef = 6 executive | Gründer = 6 executive | Visepresident = 5 None | Salgsdirektør = 4 sales
Økonomidirektør = 4 finance
Markedsdirektør = 4 marketing | IT-direktør = 4 it | Direktør for salg og marked = 4 sales
Rektor = 4 education | Salgssjef = 3 sales
Innkjøpssjef = 3 purchasing | Økonomisjef = 3 finance | Personalsjef = 3 hr | IKT-leder = 3 it
Prosjektleder = 3 operations | Driftsleder = 3 operations
Avdelingsleder = 3 None | Assisterende direktør = 3 None | Markedsansvarlig = 2 marketing
Seniorrådgiver = 2 None | Selger = 1 sales
Innkjøper = 1 purchasing | Utvikler = 1 engineering | Regnskapsfører = 1 finance | Advokat = 1 legal
Forsker = 1 research
Kundebehandler = 1 support | Lærer = 1 education | Sykepleier = 1 other | Lærling = 0 None
Assistent til daglig leder = 0 operations
Teknisk sjef = 3 engineering | Salgskonsulent = 1 sales
"""
CHINESE = """
总经理 = 6 executive | 首席执行官 = 6 executive | 董事长 = 6 executive | 创始人 = 6 executive | 首席技术官 = 6 engineering
总經理 = 6 executive
创始人兼CEO = 6 executive | 老板 = 6 executive | 首席营收官 = 6 sales
副总裁 = 5 None | 副总经理 = 5 executive | 销售副总裁 = 5 sales | 销售总监 = 4 sales
市场总监 = 4 marketing | 人力资源总监 = 4 hr | 技术总监 = 4 engineering | 财务总监 = 4 finance | 校长 = 4 education | 经理 = 3 None
采购经理 = 3 purchasing | IT经理 = 3 it | 法务经理 = 3 legal | 生产主管 = 3 operations | 市场部经理 = 3 marketing | 副经理 = 2 None
高级软件工程师 = 2 engineering | 大客户经理 = 2 sales | 销售代表 = 1 sales | 会计 = 1 finance | 采购专员 = 1 purchasing | 律师 = 1 legal
客服专员 = 1 support | 教师 = 1 education | 医生 = 1 other | 研究员 = 1 research | 总经理助理 = 0 operations | 行政助理 = 0 operations
实习生 = 0 None | 秘书 = 0 operations | ＣＥＯ = 6 executive
"""
FALSE_FRIENDS = """
Assistant to the CEO = 0 operations | Chief of Staff = 4 executive | Account Executive = 1 sales
Executive Assistant = 0 operations
Associate Vice President = 4 None | Product Owner = 2 engineering | Process Owner = 2 operations
Business Owner = 6 executive | Assistant Director = 3 None
Assistant Sales Manager = 2 sales | Assistant of the Director = 0 operations
Digital & Marketing Manager = 3 marketing | Assistant Vice President = 4 None | Deputy CEO = 5 executive
Associate Director = 3 None | Advisor to the CEO = 1 None | Chief of Staff to the CFO = 4 executive
Retired CEO = None None | Former Sales Director = None None
Creative Director = 4 marketing | Art Director = 2 marketing | Executive = None None | Sales = None sales
Founder at Sales Solutions = 6 executive
Software Sales Manager = 3 sales | IT Recruiter = 1 hr | Head Chef = 3 other | Chef = 3 None
Partner Manager = 3 sales
HR Business Partner = 2 hr | Go-to-market Manager = 3 marketing | R&D Director = 4 research
R & D Director = 4 research
vd-assistent = 0 operations | Intern revisor = 1 finance | Produktägare = 2 engineering
Assistente Social = 1 other | Assistenzärztin = 1 other
助理总经理 = 5 executive | Customer Success Manager = 1 support | Key Account Manager = 2 sales
Product Manager = 3 engineering
C.E.O. = 6 executive
Deputy Chief Risk Officer = 5 finance
PA to Managing Director = 0 operations | IT/Marketing Manager = 3 it | Vice-President – Finance = 5 finance | Undersköterska = 1 other
"""
NOTHING = ("", " ", "n/a", "???", "123", "Zxqwert", "🙂", "a" * 10_000, "(((", "&", "the", "Acme Widgets")
TABLES = {"en": ENGLISH, "sv": SWEDISH, "de": GERMAN, "pt": PORTUGUESE, "nb": NORWEGIAN, "zh": CHINESE, "false friends": FALSE_FRIENDS}


def cases(table: str) -> list[tuple[str, Title]]:
    entries = (entry.rpartition(" = ") for line in table.strip().splitlines() for entry in line.split(" | "))
    answers = ((title.strip(), *answer.split()) for title, _, answer in entries)
    return [(t, Title(None if s == "None" else int(s), None if f == "None" else f)) for t, s, f in answers]


TITLES = [pytest.param(title, expected, id=f"{name}-{title}") for name, table in TABLES.items() for title, expected in cases(table)]


@pytest.mark.parametrize("title, expected", TITLES)
def test_title(title: str, expected: Title) -> None:
    assert parse_title(title) == expected


@pytest.mark.parametrize("language", list(TABLES))
def test_every_language_has_enough_titles(language: str) -> None:
    assert len(dict(cases(TABLES[language]))) >= 25


@pytest.mark.parametrize("title", [None, *NOTHING])
def test_no_known_word_tells_nothing(title: str | None) -> None:
    assert parse_title(title) == Title(None, None)


@given(st.text(max_size=300))
def test_any_text_has_an_answer_on_the_scale(title: str) -> None:
    seniority, function = parse_title(title)
    assert seniority in (None, 0, 1, 2, 3, 4, 5, 6)
    assert function is None or function in FUNCTIONS


known_titles = st.sampled_from([title for table in TABLES.values() for title, _ in cases(table)])


@given(known_titles, st.sampled_from(["  {} ", "{}.", '"{}"', "\t{}\n", "{}!"]))
def test_noise_around_a_title_changes_nothing(title: str, noise: str) -> None:
    assert parse_title(noise.format(title)) == parse_title(title)


@given(known_titles)
def test_case_and_width_change_nothing(title: str) -> None:
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in title)
    assert parse_title(title.upper()) == parse_title(title.lower()) == parse_title(wide) == parse_title(title)


@given(known_titles)
def test_an_assistant_to_anybody_is_an_assistant(title: str) -> None:
    assert parse_title(f"Executive assistant to {title}").seniority == 0


@pytest.mark.parametrize("table", [RANKS, AREAS, PEOPLE, HINTS], ids=["RANKS", "AREAS", "PEOPLE", "HINTS"])
def test_no_word_stands_twice_in_a_table(table: dict[object, str]) -> None:
    words = [word for text in table.values() for word in {" ".join(w.split()) for w in text.split(",")}]
    assert sorted({w for w in words if words.count(w) > 1}) == []


def test_functions_of_the_tables_are_the_functions() -> None:
    assert set(AREAS) | {"executive"} == set(FUNCTIONS)
    assert set(PEOPLE) | set(HINTS) <= set(FUNCTIONS)


def test_every_head_of_a_compound_means_something() -> None:
    known = lexicon()
    assert [head for head in known.heads if head not in known.meanings] == []
