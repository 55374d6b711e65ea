"""The texts: what would run, break out of where it stands, or look like something else."""

from __future__ import annotations

#: None longer than the shortest place that shows all of it, the name of a counter. Titles begin with a capital letter.
ATTACKS = (
    "<img src=x onerror=window.__hacked=1>",
    "\"'><script>window.__hacked=1</script>",
    "</script><script>window.__hacked=1</script>",
    "</progress></title><svg onload=window.__hacked=1>",
    '" onfocus=window.__hacked=1 autofocus x="',
    "JavaScript:window.__hacked=1",
    "{{ 7|add:7 }}{% debug %}${window.__hacked=1}",
    "A\u2028\u2029window.__hacked=1//\u202egpj.exe\u2066",
    "]]><!--</textarea><style>*{display:none}</style>&lt;i&gt;",
)
#: 100 kB.
LONG = ATTACKS[0] * 2_700
#: Where a task or a message leads: at home, and an attack all the same.
LINK = "/elsewhere/?q=\"'><script>window.__hacked=1</script>"
