/// What the page of a run has beside `HTMLStyle`.
enum RunStyle {
    static let css = """
        .state { display: inline-block; border-radius: 10px; padding: 0 8px; font-size: 12px; line-height: 19px;
          color: var(--on); background: var(--sync); white-space: nowrap; }
        .s-done, .s-succeeded { background: var(--start); } .s-begun, .s-running, .s-parked { background: var(--reload); }
        .s-failed, .s-unreachable, .s-rolled_back, .s-interrupted, .s-abandoned { background: var(--stop); }
        .s-unknown, .s-started { background: var(--restart); }
        nav.contents { display: flex; flex-wrap: wrap; gap: 2px 14px; margin: 10px 0 0; font-size: 13px; }
        nav.contents a, td a { color: var(--reload); }
        .box { border: 1px solid var(--stop); border-radius: 8px; padding: 8px 14px; margin: 14px 0 0; }
        .box p { margin: 2px 0; overflow-wrap: anywhere; }
        .scroll { overflow-x: auto; }
        table.rows { border-collapse: collapse; width: 100%; font-size: 14px; }
        table.rows th { text-align: left; font-weight: 600; font-size: 13px; color: var(--soft); }
        table.rows th, table.rows td { padding: 4px 12px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
        table.rows td, table.rows td code { overflow-wrap: break-word; } table.rows td.time { white-space: nowrap; }
        table.rows td.long, table.rows td.long code { overflow-wrap: anywhere; } table.rows td.long { min-width: 200px; }
        table.rows .n { text-align: right; padding-right: 22px; font-variant-numeric: tabular-nums; white-space: nowrap; }
        table.rows td.bad { color: var(--stop); font-weight: 600; }
        details.failure { border: 1px solid var(--line); border-radius: 8px; margin: 8px 0; padding: 6px 12px; }
        details.failure > summary { cursor: pointer; overflow-wrap: anywhere; }
        details.failure p { margin: 4px 0; overflow-wrap: anywhere; }
        details.failure pre { padding: 6px 10px; max-height: 50vh; overflow: auto; }
        details.rest > summary { cursor: pointer; color: var(--soft); font-size: 13px; padding: 6px 0; }
        .run-timeline { display: grid; grid-template-columns: max-content max-content; overflow: auto; max-height: 80vh;
          border: 1px solid var(--line); border-radius: 8px; background: var(--page); width: fit-content; max-width: 100%; }
        .run-timeline svg { display: block; }
        .run-timeline .corner { padding: 4px 8px 0; }
        .run-timeline text { font: 11px ui-monospace, "DejaVu Sans Mono", monospace; fill: var(--text); }
        .run-timeline .head text { fill: var(--soft); font-size: 10px; }
        .run-timeline .names text.job { font-weight: bold; }
        .run-timeline .jobs { fill: var(--band1); }
        .bars g { fill: var(--tone); } .bars g text { fill: var(--on); font: bold 9px ui-monospace, monospace;
          text-anchor: middle; pointer-events: none; }
        .k-done { --tone: var(--start); } .k-slow { --tone: var(--restart); } .k-gate { --tone: var(--gate); }
        .k-failed { --tone: var(--stop); } .k-open { --tone: var(--sync); }
        .bars path.usual { stroke: var(--text); stroke-width: 1; fill: none; opacity: .55; }
        .bars rect.gap { fill: var(--line); opacity: .45; }
        .legend i.usual { height: 0; border-top: 1px solid var(--text); border-radius: 0; background: none;
          vertical-align: 4px; }
        .legend i.gap { background: var(--line); }
        @media (max-width: 600px) {
          .run-timeline .names { max-width: 110px; overflow: hidden; }
          table.rows, table.rows tbody { display: block; } table.rows thead { display: none; }
          table.rows tr { display: block; padding: 6px 0; border-bottom: 1px solid var(--line); }
          table.rows td, table.rows td.n { display: block; border: 0; padding: 1px 0; text-align: left; white-space: normal;
            overflow-wrap: anywhere; }
          table.rows td:empty { display: none; }
          table.rows td[data-label]::before { content: attr(data-label) ": "; color: var(--soft); font-weight: normal; }
        }
        @media print { .run-timeline { max-height: none; overflow: visible; } }
        """
}
