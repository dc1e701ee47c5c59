"""Names that speak of an outcome or a judgement, in six languages, and names that only look so."""

import pytest

from training.leak_names import is_key, telling_word, words_of

TELLING = {
    "en": ["Lead Quality", "lead_profile", "Asymmetrique Activity Score", "profileIndex", "Tags", "Last Activity", "last_activity",
           "LastNotableActivity", "duration", "lead-status", "LeadStatus", "Lost Reason", "leadscore", "Score1"],
    "sv": ["Leadkvalitet", "kund_profil", "poäng", "Taggar", "Senaste aktivitet", "senasteKontakt", "samtalsvaraktighet",
           "Kundstatus", "avslagsorsak"],
    "de": ["Leadqualität", "LEADQUALITAET", "Profil", "Punktzahl", "Kundenindex", "Schlagworte", "LetzteAktivität", "letzte_aktivitaet",
           "Gesprächsdauer", "Leadstatus", "Verlustgrund"],
    "pt": ["Qualidade do lead", "perfil", "Pontuação", "índice", "Etiquetas", "Última atividade", "duração", "situação", "Motivo da perda"],
    "nb": ["Kvalitet", "kundeprofil", "Poengsum", "indeks", "Etiketter", "Siste aktivitet", "varighet", "Status", "Årsak"],
    "zh": ["线索质量", "客户画像", "评分", "活跃指数", "标签", "最后活动", "通话时长", "状态", "流失原因", "流失理由", "標籤", "狀態"],
}  # fmt: skip
HONEST = ["lastname", "last_name", "Last Name", "blast", "index_fund", "Index Funds", "marital_status", "Marital Status", "contrast",
          "Country", "industry", "Total Time Spent on Website", "TotalVisits", "cons.price.idx", "euribor3m", "nr.employed", "job", "education",
          "poutcome", "pdays", "estado", "razao_social", "Hintergrund", "Wochentag", "Tag der Anfrage", "Kontaktpunkte",
          "stagecoach", "plastic", "elastic", "profiler",
          "婚姻状态", "行业", "城市", "Ort", "stad", "cidade", "Bransje", "What is your current occupation", "A free copy of Mastering The Interview",
          ""]  # fmt: skip


@pytest.mark.parametrize("name", [name for names in TELLING.values() for name in names])
def test_a_telling_name_is_known(name: str) -> None:
    assert telling_word(name) is not None


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_name_is_left_alone(name: str) -> None:
    assert telling_word(name) is None


@pytest.mark.parametrize("name", ["Last Activity", "last_activity", "LAST-ACTIVITY", "lastActivity", " last  activity "])
def test_every_way_of_writing_a_name_is_one(name: str) -> None:
    assert words_of(name) == ["last", "activity"]


@pytest.mark.parametrize("name", ["Lead Number", "prospect_id", "ID", "customerId", "Kundnummer", "编号", "row key"])
def test_keys_are_known_by_name(name: str) -> None:
    assert is_key(name)


@pytest.mark.parametrize("name", ["revenue", "number of employees", "numero de funcionarios", "idea", "paid", "width", "annual income"])
def test_amounts_are_not_keys(name: str) -> None:
    assert not is_key(name)
