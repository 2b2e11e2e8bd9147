"""How the pages look, light and dark: the reports' colours and headings, and what the pages have besides."""

from airflow_batch_inference.reports.style import PAGE

NAVIGATION = """
body{background:none}.none h1{color:var(--fg)}b.s{color:var(--c);font-weight:600;white-space:nowrap}.run{--c:var(--cur)}
nav{font-size:12px;color:var(--dim);margin:0 0 14px;overflow-wrap:anywhere}nav i{margin:0 7px;font-style:normal}
nav a{color:var(--dim)}a{color:var(--cur);text-decoration:none}a:hover{text-decoration:underline}
a:focus-visible{outline:2px solid var(--cur);outline-offset:2px;border-radius:2px}main{padding-top:18px}
.empty{margin:72px auto;max-width:520px;text-align:center;color:var(--dim)}
.empty h1{font-size:18px;color:var(--fg);margin:0 0 8px}.empty p{margin:6px 0}
"""
"""What every page has besides the reports' own style; without a background it lies on that of Airflow's UI."""

STYLE = (
    PAGE
    + """
h2{font-size:15px;margin:0 0 8px}section{margin:30px 0 0}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;min-width:320px}.t{overflow-x:auto}
th{text-align:left;font-weight:600;color:var(--dim);font-size:12px;white-space:nowrap}
th,td{padding:6px 22px 6px 0;border-bottom:1px solid var(--line);vertical-align:baseline;max-width:420px;
overflow-wrap:anywhere}.n{text-align:right;white-space:nowrap}
.id{display:inline-block;max-width:270px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;vertical-align:bottom}
time{white-space:nowrap}.wide{width:100%;font-size:13px}.wide th,.wide td{padding-right:18px}
.wide td:last-child,.wide th:last-child{padding-right:0}
.rows td,.rows th{max-width:220px;padding-right:18px;font-size:13px}
.rows th,.rows td{white-space:nowrap;overflow:hidden;text-overflow:ellipsis}.rows .n{text-align:right}
.rows th bdi{color:var(--fg)}th small{display:block;font-weight:400}
.t+.t,.t+dl,.w+dl{margin-top:14px}small,.w{color:var(--dim)}small{font-size:12px}.w{margin:0 0 8px}.t+.w{margin-top:8px}
code{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}dd code,td code{overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 20px;margin:0;color:var(--dim)}dd{margin:0}
.two{display:flex;flex-wrap:wrap;gap:0 64px}.two>section{flex:1 1 320px;min-width:0}
.bars{display:grid;grid-template-columns:max-content 1fr max-content;gap:7px 14px;align-items:center;max-width:560px}
.bars i{display:block;height:8px;border-radius:4px;background:var(--cur);min-width:2px}.bars b{font-weight:400;
text-align:right;font-variant-numeric:tabular-nums}
.sum{display:flex;flex-wrap:wrap;align-items:stretch;gap:10px 14px;margin:0 0 18px}
.sum div{padding:10px 16px;border:1px solid var(--line);border-radius:8px;min-width:110px}
.sum b{display:block;font-size:20px;font-weight:600;font-variant-numeric:tabular-nums;line-height:1.2}
.sum span{font-size:12px;color:var(--dim)}.sum>i{align-self:center;font-style:normal;color:var(--dim);font-size:18px}
.sum .bad b,.sum .odd b{color:var(--c)}
@media(max-width:720px){main{padding:14px}th,td{padding-right:14px}.two{gap:0}}
"""
    + NAVIGATION
)
"""A page's."""

HISTORY_STYLE = (
    STYLE
    + """
.m{display:grid;grid-template-columns:128px 1fr;gap:0 18px;align-items:center;border-bottom:1px solid var(--line)}
.m h2{margin:0;font-size:13px}.m p{margin:0;color:var(--dim);font-size:12px}.m p b{color:var(--fg);font-size:15px}
.m svg{display:block;width:100%;height:84px;overflow:visible}
.m:last-of-type{border:0}text{fill:var(--dim);font:11px system-ui,sans-serif;font-variant-numeric:tabular-nums}
.g{stroke:var(--line);fill:none}.l{fill:none;stroke:var(--cur);stroke-width:1.6;stroke-linejoin:round}
.b{fill:var(--cur);opacity:.75}.d{fill:var(--c)}.x{stroke:var(--dim);stroke-dasharray:2 3;fill:none}
.key{display:flex;flex-wrap:wrap;gap:4px 20px;color:var(--dim);font-size:12px;margin:12px 0 0}
.key i{display:inline-block;width:9px;height:9px;border-radius:5px;margin-right:6px;background:var(--c)}
.key u{display:inline-block;height:12px;border-left:2px dotted var(--dim);margin-right:8px;vertical-align:-2px}
@media(max-width:720px){.m{grid-template-columns:1fr;padding:8px 0}}
"""
)
"""That of the pages with lines over runs."""
