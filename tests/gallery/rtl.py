"""Words for two languages that are written from right to left: the package ships none, as most projects will find."""

from __future__ import annotations

from django.utils.translation import trans_real

WORDS = {
    "ar": {
        "Running": "قيد التنفيذ",
        "stop a running task\x04Cancel": "إلغاء",
        "Messages": "الرسائل",
        "Warning:": "تحذير:",
        "take a message off the page\x04Close": "إغلاق",
        "Success:": "نجاح:",
        "{current} of {total}": "{current} من {total}",
        "{rate} {unit}/s": "{rate} {unit} في الثانية",
        "about {time} left": "بقي نحو {time}",
        "{time} so far": "مضى {time}",
        "Step {index} of {count}: {name}": "الخطوة {index} من {count}: {name}",
    },
    "he": {
        "Running": "פועל",
        "stop a running task\x04Cancel": "ביטול",
        "Messages": "הודעות",
        "Warning:": "אזהרה:",
        "Success:": "הצלחה:",
        "{current} of {total}": "{current} מתוך {total}",
        "{rate} {unit}/s": "{rate} {unit} לשנייה",
        "about {time} left": "נותרו בערך {time}",
        "{time} so far": "{time} עד כה",
    },
}


def teach() -> None:
    """Make Django know these words, as a project's own ``locale`` folder would."""
    for language, words in WORDS.items():
        catalog = trans_real.translation(language)._catalog
        for text, translated in words.items():
            catalog[text] = translated
