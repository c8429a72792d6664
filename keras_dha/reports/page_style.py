"""The style sheet of the report."""

CSS = """
:root { --ink: #1f2933; --faint: #7b8794; --line: #e4e7eb; --accent: #2f6fde; }
* { box-sizing: border-box; }
body { margin: 0; background: #f5f7fa; color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 28px 20px 60px; }
header { background: #1f2f46; color: white; border-radius: 12px; padding: 22px 28px; margin-bottom: 18px; }
h1 { font-size: 22px; font-weight: 600; margin: 0 0 14px; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 0 0 12px; }
h4 { font-size: 13px; margin: 0 0 4px; display: flex; justify-content: space-between; }
h4 span { font-weight: 400; color: var(--faint); }
p { margin: 8px 0; color: #52606d; font-size: 14px; }
.tiles { display: flex; flex-wrap: wrap; gap: 12px 44px; }
.tiles b { display: block; font-size: 25px; font-weight: 600; line-height: 1.25; }
.tiles span { color: #b6c4d8; font-size: 13px; }
section { background: white; border: 1px solid var(--line); border-radius: 12px;
  padding: 20px 28px; margin-bottom: 18px; }
img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th { text-align: left; font-weight: 500; color: #52606d; width: 220px; padding: 5px 12px 5px 0; vertical-align: top; }
td { padding: 5px 0; overflow-wrap: anywhere; }
tr + tr { border-top: 1px solid var(--line); }
.wide { overflow-x: auto; }
.columns th, .columns td { width: auto; padding-right: 14px; font-variant-numeric: tabular-nums; }
.columns tr:first-child th { border-bottom: 1px solid var(--line); }
pre { background: #f5f7fa; border-radius: 8px; padding: 12px 14px; white-space: pre-wrap; overflow-wrap: anywhere;
  font-size: 13px; margin: 0 0 10px; }
.choices { display: grid; grid-template-columns: repeat(auto-fill, minmax(290px, 1fr)); gap: 20px 32px;
  margin-top: 14px; }
.bar { display: flex; align-items: center; gap: 8px; font-size: 12.5px; line-height: 1.6; color: #52606d; }
.bar .name { width: 118px; flex: none; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.bar .track { flex: 1; height: 9px; background: #eef1f5; border-radius: 5px; overflow: hidden; }
.bar .track span { display: block; height: 100%; background: #b8c4d2; }
.bar .value { width: 34px; flex: none; text-align: right; font-variant-numeric: tabular-nums; }
.bar.kept { color: var(--ink); font-weight: 600; }
.bar.kept .track span { background: var(--accent); }
.more { font-size: 12px; color: var(--faint); }
@media print { body { background: white; } section { break-inside: avoid; } }
"""
