/// How the page looks: system fonts, light and dark as the reader's system has it, one column on a phone.
enum HTMLStyle {
    static let css = """
        :root {
          color-scheme: light dark;
          --page: #ffffff; --text: #1c2128; --soft: #59636e; --line: #d4d9df; --box: #f6f8fa;
          --start: #1a7f37; --restart: #b35900; --reload: #0b62c4; --sync: #6e7781; --stop: #c4232c; --gate: #8250df;
          --added: #e2f6e6; --removed: #fdeaea; --on: #ffffff; --band0: #fbfcfd; --band1: #f1f4f7;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --page: #12161c; --text: #dfe5ec; --soft: #96a0ac; --line: #333b45; --box: #1a2028;
            --start: #3fb950; --restart: #e3892b; --reload: #5aa9ff; --sync: #9aa4af; --stop: #ff6b6b; --gate: #b392f0;
            --added: #12301d; --removed: #3a1a1d; --on: #12161c; --band0: #151a21; --band1: #1c232c;
          }
        }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
        main { max-width: 1180px; margin: 0 auto; padding: 20px 24px 60px; }
        h1 { font-size: 23px; line-height: 1.3; margin: 0 0 4px; }
        h2 { font-size: 18px; margin: 34px 0 8px; }
        h3 { font-size: 14px; margin: 16px 0 4px; }
        code, pre, .id { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: 13px; }
        code { unicode-bidi: isolate; overflow-wrap: anywhere; }
        .id { margin: 0 0 10px; color: var(--soft); overflow-wrap: anywhere; }
        ul.facts { margin: 0 0 8px; padding-left: 18px; color: var(--soft); }
        ul.facts code { color: var(--text); } ul.facts ul { padding-left: 18px; }
        .hint, .more, small { color: var(--soft); font-size: 13px; }
        .hint { margin: 0 0 8px; } .files .hint { margin: 4px 0 0; }
        ul.plain, ol.batches { list-style: none; margin: 0; padding: 0; }
        ul.plain > li { padding: 2px 0; }
        ol.batches > li { display: flex; gap: 10px; padding: 2px 0; }
        ol.batches > li > div { min-width: 0; overflow-wrap: anywhere; }
        .number { flex: none; min-width: 26px; text-align: right; color: var(--soft); font-variant-numeric: tabular-nums; }
        .match { color: var(--soft); font-size: 13px; padding-left: 14px; }
        .badge { display: inline-block; border-radius: 10px; padding: 0 8px; font-size: 12px; line-height: 19px;
          white-space: nowrap; color: var(--on); background: var(--tone); }
        .a-start { --tone: var(--start); } .a-restart { --tone: var(--restart); } .a-reload { --tone: var(--reload); }
        .a-sync { --tone: var(--sync); } .a-stop { --tone: var(--stop); }
        details.job { border: 1px solid var(--line); border-radius: 8px; margin: 8px 0; background: var(--box); }
        details.job > summary { padding: 8px 12px; cursor: pointer; overflow-wrap: anywhere; }
        details.job > .inside { padding: 2px 14px 12px; border-top: 1px solid var(--line); background: var(--page);
          border-radius: 0 0 8px 8px; }
        .inside > ul.facts { margin-top: 8px; }
        .files summary { cursor: pointer; overflow-wrap: anywhere; }
        .symbol { font-family: ui-monospace, monospace; font-weight: bold; }
        .symbol.added { color: var(--start); background: none; } .symbol.removed { color: var(--stop); background: none; }
        .symbol.changed { color: var(--restart); }
        pre { margin: 4px 0 8px; padding: 6px 0; border: 1px solid var(--line); border-radius: 6px; overflow-x: auto;
          background: var(--page); tab-size: 8; line-height: 1.4; }
        pre > span { display: block; padding: 0 10px; width: max-content; min-width: 100%; direction: ltr;
          unicode-bidi: isolate; overflow: hidden; }
        pre > .added { background: var(--added); } pre > .removed { background: var(--removed); }
        pre > .mark { color: var(--soft); }
        section > details > pre { padding: 8px 10px; max-height: 70vh; overflow: auto; }
        dl { margin: 0; } dt { font-weight: 600; margin-top: 6px; } dd { margin: 0; color: var(--soft); }
        dd, dt { overflow-wrap: anywhere; }
        .hooks dt { font-weight: normal; } .hooks dd { padding-left: 14px; } .hooks code { color: var(--text); }
        .legend { display: flex; flex-wrap: wrap; gap: 4px 16px; font-size: 13px; color: var(--soft); margin: 0 0 8px; }
        .legend i { display: inline-block; width: 17px; height: 17px; border-radius: 3px; background: var(--tone);
          color: var(--on); font: bold 11px/17px ui-monospace, monospace; text-align: center; vertical-align: -2px; }
        .legend i.gate { width: 0; border-left: 2px dashed var(--gate); border-radius: 0; background: none; }
        .legend i.calls { width: 0; border-left: 2px dotted var(--text); border-radius: 0; background: none; }
        .timeline { display: grid; grid-template-columns: max-content max-content; overflow: auto; max-height: 80vh;
          border: 1px solid var(--line); border-radius: 8px; background: var(--page); width: fit-content; max-width: 100%; }
        .timeline svg { display: block; }
        .corner, .head { position: sticky; top: 0; background: var(--page); border-bottom: 1px solid var(--line); }
        .corner, .names { position: sticky; left: 0; background: var(--page); border-right: 1px solid var(--line); }
        .corner { z-index: 3; padding: 36px 8px 0; font-size: 12px; color: var(--soft); } .head { z-index: 2; }
        .names { z-index: 1; }
        .timeline text { font: 11px ui-monospace, "DejaVu Sans Mono", monospace; fill: var(--text); }
        .timeline .wave { font: 600 12px system-ui, sans-serif; } .timeline .n { fill: var(--soft); text-anchor: middle;
          font-size: 9px; }
        .band0 { fill: var(--band0); } .band1 { fill: var(--band1); }
        .grid, .edge { stroke: var(--line); stroke-width: 1; fill: none; } .grid { opacity: .5; }
        .gates { stroke: var(--gate); stroke-width: 1.5; stroke-dasharray: 4 3; fill: none; }
        .calls { stroke: var(--text); stroke-width: 1.5; stroke-dasharray: 1.5 2.5; fill: none; }
        .cells g { fill: var(--tone); }
        .cells g text { fill: var(--on); font: bold 11px ui-monospace, monospace; text-anchor: middle;
          pointer-events: none; }
        @media (max-width: 600px) {
          main { padding: 14px 12px 40px; }
          h1 { font-size: 19px; }
          details.job > .inside { padding: 2px 10px 10px; }
          .number { min-width: 18px; }
        }
        @media print { .timeline { max-height: none; overflow: visible; } }
        """
}
