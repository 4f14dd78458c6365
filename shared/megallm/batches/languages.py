"""Language codes (BCP 47): which ones there are, how they are spelled, and what a model is told for them.

The languages are those of ISO 639-1 and some larger ones that have three letters only.
"""

import re
from difflib import get_close_matches

from megallm.errors import InvalidRequest, clip

_LANGUAGES = """
aa Afar; ab Abkhazian; ae Avestan; af Afrikaans; ak Akan; am Amharic; an Aragonese; ar Arabic; as Assamese; av Avaric;
ay Aymara; az Azerbaijani; ba Bashkir; be Belarusian; bg Bulgarian; bi Bislama; bm Bambara; bn Bengali; bo Tibetan;
br Breton; bs Bosnian; ca Catalan; ce Chechen; ch Chamorro; co Corsican; cr Cree; cs Czech; cu Church Slavic;
cv Chuvash; cy Welsh; da Danish; de German; dv Divehi; dz Dzongkha; ee Ewe; el Greek; en English; eo Esperanto;
es Spanish; et Estonian; eu Basque; fa Persian; ff Fulah; fi Finnish; fj Fijian; fo Faroese; fr French;
fy Western Frisian; ga Irish; gd Scottish Gaelic; gl Galician; gn Guarani; gu Gujarati; gv Manx; ha Hausa; he Hebrew;
hi Hindi; ho Hiri Motu; hr Croatian; ht Haitian Creole; hu Hungarian; hy Armenian; hz Herero; ia Interlingua;
id Indonesian; ie Interlingue; ig Igbo; ii Sichuan Yi; ik Inupiaq; io Ido; is Icelandic; it Italian; iu Inuktitut;
ja Japanese; jv Javanese; ka Georgian; kg Kongo; ki Kikuyu; kj Kuanyama; kk Kazakh; kl Greenlandic; km Khmer;
kn Kannada; ko Korean; kr Kanuri; ks Kashmiri; ku Kurdish; kv Komi; kw Cornish; ky Kyrgyz; la Latin; lb Luxembourgish;
lg Ganda; li Limburgish; ln Lingala; lo Lao; lt Lithuanian; lu Luba-Katanga; lv Latvian; mg Malagasy; mh Marshallese;
mi Maori; mk Macedonian; ml Malayalam; mn Mongolian; mr Marathi; ms Malay; mt Maltese; my Burmese; na Nauru;
nb Norwegian Bokmål; nd North Ndebele; ne Nepali; ng Ndonga; nl Dutch; nn Norwegian Nynorsk; no Norwegian;
nr South Ndebele; nv Navajo; ny Chichewa; oc Occitan; oj Ojibwa; om Oromo; or Odia; os Ossetian; pa Punjabi; pi Pali;
pl Polish; ps Pashto; pt Portuguese; qu Quechua; rm Romansh; rn Rundi; ro Romanian; ru Russian; rw Kinyarwanda;
sa Sanskrit; sc Sardinian; sd Sindhi; se Northern Sami; sg Sango; si Sinhala; sk Slovak; sl Slovenian; sm Samoan;
sn Shona; so Somali; sq Albanian; sr Serbian; ss Swati; st Southern Sotho; su Sundanese; sv Swedish; sw Swahili;
ta Tamil; te Telugu; tg Tajik; th Thai; ti Tigrinya; tk Turkmen; tl Tagalog; tn Tswana; to Tongan; tr Turkish;
ts Tsonga; tt Tatar; tw Twi; ty Tahitian; ug Uyghur; uk Ukrainian; ur Urdu; uz Uzbek; ve Venda; vi Vietnamese;
vo Volapük; wa Walloon; wo Wolof; xh Xhosa; yi Yiddish; yo Yoruba; za Zhuang; zh Chinese; zu Zulu; ast Asturian;
bho Bhojpuri; ceb Cebuano; chr Cherokee; ckb Central Kurdish; doi Dogri; fil Filipino; gom Konkani; gsw Swiss German;
haw Hawaiian; hmn Hmong; hsb Upper Sorbian; ilo Iloko; kok Konkani; kri Krio; lus Mizo; mai Maithili; mni Manipuri;
nso Northern Sotho; sat Santali; scn Sicilian; yue Cantonese
"""
_NAMES = dict(entry.strip().split(" ", 1) for entry in _LANGUAGES.replace("\n", " ").split(";"))

# Tags that mean more to a model in words than in letters.
_KINDS = {
    "en-GB": "British English",
    "en-US": "American English",
    "es-419": "Latin American Spanish",
    "es-ES": "European Spanish",
    "es-MX": "Mexican Spanish",
    "fr-CA": "Canadian French",
    "pt-BR": "Brazilian Portuguese",
    "pt-PT": "European Portuguese",
    "zh-CN": "Simplified Chinese",
    "zh-HK": "Traditional Chinese as used in Hong Kong",
    "zh-Hans": "Simplified Chinese",
    "zh-Hant": "Traditional Chinese",
    "zh-TW": "Traditional Chinese as used in Taiwan",
}

# RFC 5646, section 2.1, without extensions, private use and grandfathered tags.
_TAG = re.compile(
    r"(?P<language>[a-z]{2,3})(-(?P<script>[a-z]{4}))?(-(?P<region>[a-z]{2}|[0-9]{3}))?"
    r"(?P<variants>(-([a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)",
    re.ASCII | re.IGNORECASE,
)


_MOST_LETTERS = 64  # of a tag, whose variants are as many as one likes; real ones have some 20


def canonical(code: str, *, param: str) -> str:
    """The code as RFC 5646 spells it (``pt-BR``, ``zh-Hant``). Raises InvalidRequest, which names the code."""
    match = _TAG.fullmatch(code) if len(code) <= _MOST_LETTERS else None
    if match is None or match["language"].lower() not in _NAMES:
        raise InvalidRequest(f"{param}: {clip(code, 40)!r} is no language code of ours{_hint(code)}", param=param)
    tag = match["language"].lower()
    if match["script"]:
        tag += f"-{match['script'].title()}"
    if match["region"]:
        tag += f"-{match['region'].upper()}"
    return tag + match["variants"].lower()


def name_of(tag: str) -> str:
    """What a model is told for a canonical tag: ``Spanish``, ``Brazilian Portuguese``, ``German (de-AT)``."""
    if tag in _KINDS:
        return _KINDS[tag]
    language = _NAMES[tag.partition("-")[0]]
    return f"{language} ({tag})" if "-" in tag else language


def _hint(code: str) -> str:
    """Codes are two or three letters; many write the name, or an underscore."""
    spelled = code.strip().replace("_", "-")
    if spelled != code and (match := _TAG.fullmatch(spelled)) and match["language"].lower() in _NAMES:
        return f"; did you mean {spelled}?"
    names = {name.lower(): tag for tag, name in _NAMES.items()} | {name.lower(): tag for tag, name in _KINDS.items()}
    close = get_close_matches(clip(spelled.replace("-", " ").lower(), 40), names, n=1, cutoff=0.8)
    return f"; did you mean {names[close[0]]}?" if close else "; it should be one of BCP 47, such as es, ja or pt-BR"
