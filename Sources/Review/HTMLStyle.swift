/// How the page looks: system fonts, light and dark as the reader's system has it, one column on a phone.
enum HTMLStyle {
    /// The beginning of a page, up to its content. The page makes no request and runs no script: its own policy forbids both.
    ///
    /// - Parameters:
    ///   - title: not escaped.
    ///   - more: rules beside those that all pages have.
    static func opening(title: String, _ more: String? = nil) -> String {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; \
        base-uri 'none'; form-action 'none'">
        <meta name="referrer" content="no-referrer">
        <title>\(Escaping.entities(title))</title>
        <style>
        \([css, more].compactMap(\.self).joined(separator: "\n"))
        </style>
        </head>
        <body>
        <main>

        """
    }

    static let css = """
        :root {
          color-scheme: light dark;
          --page: #ffffff; --text: #1c2128; --soft: #59636e; --line: #d4d9df; --box: #f6f8fa;
          --start: #1a7f37; --restart: #b35900; --reload: #0b62c4; --sync: #6e7781; --stop: #c4232c; --gate: #8250df;
          --added: #e2f6e6; --removed: #fdeaea; --on: #ffffff;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --page: #12161c; --text: #dfe5ec; --soft: #96a0ac; --line: #333b45; --box: #1a2028;
            --start: #3fb950; --restart: #e3892b; --reload: #5aa9ff; --sync: #9aa4af; --stop: #ff6b6b; --gate: #b392f0;
            --added: #12301d; --removed: #3a1a1d; --on: #12161c;
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
        .a-sync, .a-run { --tone: var(--sync); } .a-stop { --tone: var(--stop); }
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
        .first { border: 2px solid var(--stop); border-radius: 8px; padding: 2px 16px 8px; margin: 14px 0; }
        .first h2 { margin: 8px 0 4px; } .first > ul { margin: 0; padding-left: 18px; } .first li { padding: 1px 0; }
        .rules { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 4px 14px; margin: 16px 0 0; }
        .rules dt { margin: 0; } .rules dd { color: var(--text); } .rules ul { margin: 0; padding-left: 18px; color: var(--soft); }
        nav { margin: 18px 0 0; padding: 8px 0; border: solid var(--line); border-width: 1px 0; }
        nav ul { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 2px 18px; }
        a { color: var(--reload); } nav a { text-decoration: none; overflow-wrap: anywhere; }
        summary h2 { display: inline; } summary { cursor: pointer; }
        .wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; }
        #who .wide { max-height: 80vh; overflow: auto; }
        table { border-collapse: collapse; width: 100%; font-size: 14px; }
        th, td { text-align: left; vertical-align: top; padding: 5px 10px; border-bottom: 1px solid var(--line); }
        tbody tr:last-child > * { border-bottom: 0; }
        thead th { background: var(--box); font-weight: 600; white-space: nowrap; }
        .jobs td code { overflow-wrap: normal; white-space: nowrap; }
        .hosts thead th { position: sticky; top: 0; z-index: 2; }
        .hosts tbody th { position: sticky; left: 0; z-index: 1; background: var(--page); font-weight: normal;
          max-width: 320px; min-width: 120px; }
        .hosts td { white-space: nowrap; }
        .n { text-align: right; font-variant-numeric: tabular-nums; }
        .band { border-left: 4px solid var(--line); padding: 0 0 2px 12px; margin: 10px 0; }
        .band h3 { margin: 0 0 4px; }
        .lane { display: flex; gap: 12px; padding: 6px 0; border-top: 1px solid var(--line); }
        .lane .what { flex: 0 0 150px; min-width: 0; overflow-wrap: anywhere; } .lane .what small { display: block; }
        .lane ol { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 6px; align-items: center;
          min-width: 0; }
        .lane li { display: flex; gap: 6px; align-items: center; min-width: 0; max-width: 100%; }
        .box { border: 1px solid var(--line); border-radius: 6px; padding: 3px 8px; background: var(--box); max-width: 100%; }
        .box .place { font-size: 13px; color: var(--soft); } .box .on { display: block; overflow-wrap: anywhere; font-size: 13px; }
        .mark { font-size: 13px; white-space: nowrap; padding: 1px 6px; border-radius: 4px; }
        .mark.gate { border: 2px solid var(--gate); color: var(--gate); font-weight: 600; }
        .mark.calls { border: 2px dotted var(--soft); } .mark.wait { border: 1px dashed var(--soft); color: var(--soft); }
        details:target { outline: 2px solid var(--reload); }
        @media (max-width: 600px) {
          main { padding: 14px 12px 40px; }
          h1 { font-size: 19px; }
          details.job > .inside { padding: 2px 10px 10px; }
          .number { min-width: 18px; }
          .rules { display: block; } .rules dt { margin-top: 8px; }
          .lane { display: block; } .lane .what small { display: inline; } .lane ol { margin-top: 4px; }
          .jobs thead { display: none; } .jobs, .jobs tbody, .jobs tr, .jobs td { display: block; width: auto; }
          .jobs tr { padding: 6px 10px; border-bottom: 1px solid var(--line); } .jobs tr:last-child { border: 0; }
          .jobs td { border: 0; padding: 0 14px 0 0; text-align: left; overflow-wrap: anywhere; display: inline-block; }
          .jobs td::before { content: attr(data-is) ": "; color: var(--soft); }
          .jobs td code { overflow-wrap: anywhere; white-space: normal; }
          .jobs td.nothing { display: none; } .jobs td:first-child::before { content: none; }
          .jobs td:nth-child(2)::before { content: none; } .jobs td:nth-child(2) { font-weight: 700; }
          .lane li { flex-wrap: wrap; }
          .hosts tbody th { max-width: 160px; }
        }
        @media print { #who .wide { max-height: none; overflow: visible; } }
        """
}
