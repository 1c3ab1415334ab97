/**
 * Themes in the manner of LuCI's own: the same class names, variables and ways of being dark (conventions.md 2.8), drawn anew. A page
 * that is right in these three has met what it meets on routers.
 */
export const THEMES = ["bootstrap", "material", "argon"] as const;
export type ThemeName = (typeof THEMES)[number];

export function themeCss(name: ThemeName): string {
  return `${VARIABLES[name]}${COMMON}${OWN[name]}`;
}

const LIGHT = `--back:#fff;--front:#404040;--line:#ccc;--soft:#f5f5f5;--accent:#0069d6;--on-accent:#fff;--input:#fff;`;
const DARK = `--back:#222222;--front:#d5d5d5;--line:#4a4a4a;--soft:#2d2d2d;--accent:#6ea8ff;--on-accent:#111;--input:#1a1a1a;`;

/** How each theme says that it is dark: by an attribute, never, or by what the system prefers. */
const VARIABLES: Readonly<Record<ThemeName, string>> = {
  bootstrap: `:root{${LIGHT}--background-color-high:#fff;--text-color-high:#404040;--border-color-medium:#ccc;--primary-color-high:#0069d6}
:root[data-darkmode=true]{${DARK}--background-color-high:#222;--text-color-high:#d5d5d5;--border-color-medium:#4a4a4a;--primary-color-high:#6ea8ff}`,
  material: `:root{${LIGHT}--main-color:#09c;--accent:#007a99;--gray-color-low:#eee}`,
  argon: `:root{${LIGHT}--primary:#5e72e4;--accent:#4a5bd0;--background-color:#f4f5f7}
@media (prefers-color-scheme:dark){:root{${DARK}--primary:#8c9bff;--accent:#8c9bff;--background-color:#1e1e1e}}`,
};

const COMMON = `
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--front);font:14px/1.45 "Helvetica Neue",Helvetica,Arial,"Noto Sans CJK SC",sans-serif}
header{display:flex;flex-wrap:wrap;gap:.4em 1.2em;align-items:center;padding:.7em 1em;background:#1b1f24;color:#fff}
header .brand{font-weight:700}header a{color:#cfd8e3}
#indicators{margin-left:auto;font-size:.9em}
#maincontent{max-width:1180px;margin:0 auto;padding:1em}
a{color:var(--accent)}
h2{font-size:1.6em;margin:.2em 0 .7em}h3{font-size:1.2em;margin:0 0 .6em}
.tabs,.cbi-tabmenu{list-style:none;display:flex;flex-wrap:wrap;gap:.2em;margin:0 0 1em;padding:0;border-bottom:1px solid var(--line)}
.tabs a{display:block;padding:.5em .9em;text-decoration:none}.tabs .active a{border-bottom:3px solid var(--accent);font-weight:700}
.cbi-section{margin:0 0 1.6em}.cbi-section-descr{margin:0 0 .8em}
.cbi-value{display:flex;flex-wrap:wrap;gap:.2em 1em;padding:.55em 0;border-bottom:1px solid var(--line)}
.cbi-value-title{flex:0 0 15em;font-weight:600}.cbi-value-field{flex:1 1 20em;min-width:0}
.cbi-value-description{font-size:.9em;opacity:.85;margin-top:.25em}
input,select,textarea{font:inherit;color:var(--front);background:var(--input);border:1px solid var(--line);border-radius:.25em;padding:.35em .5em}
input[type=text],input[type=search],input[type=password]{width:20em}
.cbi-input-invalid{border-color:#c0392b;outline:1px solid #c0392b}
.btn,.cbi-button{font:inherit;cursor:pointer;border:1px solid var(--line);background:var(--soft);color:var(--front);border-radius:.3em;padding:.35em .9em}
.btn:disabled{opacity:.55;cursor:default}
.cbi-button-apply,.important{background:var(--accent);color:var(--on-accent);border-color:transparent}
.cbi-button-negative,.cbi-button-remove{border-color:#c0392b}
.cbi-page-actions{padding:1em 0;border-top:1px solid var(--line);text-align:right}
.table{width:100%;border-collapse:collapse}.td,.th{text-align:left;padding:.5em .6em;border-bottom:1px solid var(--line);vertical-align:top}
.alert-message{border:1px solid var(--line);border-left:5px solid #d9a400;padding:.6em 1em;margin:0 0 1em;background:var(--soft)}
.alert-message.danger{border-left-color:#c0392b}
code{font-family:monospace}
@media (max-width:854px){
 .table,.table tbody{display:block}.table .tr{display:block;border:1px solid var(--line);border-radius:.3em;margin:0 0 .6em;padding:.2em .6em}
 .table .table-titles{display:none}.table .td{display:flex;gap:.8em;border:0;padding:.25em 0}
 .table .td::before{content:attr(data-title);flex:0 0 8em;font-weight:600}.table .td[data-title=""]::before{display:none}
 .cbi-value-title{flex-basis:100%}input[type=text],input[type=search],input[type=password]{width:100%}
}`;

const OWN: Readonly<Record<ThemeName, string>> = {
  bootstrap: `li{color:#737373}:root[data-darkmode=true] li{color:#a0a0a0}
input,select{height:30px}input[type=search]{box-sizing:content-box}`,
  material: `header{background:var(--main-color)}header .brand,header a,#indicators{color:#002b36}
.cbi-section,.cbi-map>div>section{background:#fff;box-shadow:0 1px 3px rgba(0,0,0,.25);padding:1em;border-radius:2px}body{background:#eee}
.btn,.cbi-button{text-transform:uppercase;font-size:.9em}
.td,.th{text-align:center}label input[type=checkbox]{position:relative;top:-.5em;margin-right:1em}`,
  argon: `body{background:var(--background-color)}header{background:var(--primary);}header .brand,header a,#indicators{color:#10131f}
.cbi-map{display:flex;flex-direction:column;gap:1rem}.cbi-section{background:var(--back);border-radius:.25rem;padding:0;box-shadow:0 0 1rem rgba(0,0,0,.15)}
.cbi-section>h3:first-child{margin:0;padding:1rem 1.25rem}.cbi-section p{padding:1rem}.cbi-section-descr{font-size:small;padding:0 1rem}
.cbi-section>.cbi-section-descr{padding-top:1rem!important;padding-bottom:1rem!important}.cbi-value-description{opacity:.5;font-size:.75rem}
table,.table{font-size:.75rem}.btn,.cbi-button{border-radius:.6em}`,
};
