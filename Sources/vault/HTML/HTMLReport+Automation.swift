import VaultModel

/// The page's section for each run of `exec --automation`, and for agents outside of one.
enum HTMLReportAutomation {
  /// - Parameters:
  ///   - found: the runs that are shown, of all.
  ///   - isAsked: whether the report was asked for runs: then it says that there are none.
  static func write(_ found: [AutomationRuns.Run], of all: AutomationRuns, isAsked: Bool, _ html: inout HTMLWriter) {
    if isAsked || !found.isEmpty {
      html.section("automation", title: "Automation runs")
      html.markup("<p class=\"note\">What each process tree of <code>exec --automation</code> was given and did; ")
      html.markup("all profiles, regardless of the filters above</p>\n")
      if found.isEmpty { html.markup("<p class=\"nothing\">None.</p>\n") }
      if all.count > found.count {
        html.markup("<p class=\"note\">The newest ")
        html.number(found.count)
        html.markup(" runs; narrow the report with <code>--automation</code> or <code>--since</code> for the others.</p>\n")
      }
      if found.count > 1 { overview(found, &html) }
      html.markup("</section>\n")
      for (number, run) in found.enumerated() { section(run, number: number + 1, &html) }
    }
    hints(all, &html)
  }

  private static func overview(_ runs: [AutomationRuns.Run], _ html: inout HTMLWriter) {
    html.table(
      .heading("automation"), caption: "The runs, the newest first",
      [.text("Run"), .text("Began"), .text("Ended"), .number("Asked"), .number("Refused"), .number("Revoked")], note: nil
    ) { html in
      for (number, run) in runs.enumerated() {
        html.markup("<tr><th scope=\"row\"><a href=\"#run-")
        html.number(number + 1)
        html.markup("\">")
        html.text(run.name)
        html.markup("</a> <small>")
        html.text(run.id)
        html.markup("</small></th><td>")
        html.time(run.began ?? run.first)
        html.markup("</td><td>")
        if let ended = run.ended { html.time(ended) } else { html.markup("–") }
        for count in [run.asked, run.refused, run.revocations.count] {
          html.markup("</td><td class=\"n\">")
          html.number(count)
        }
        html.markup("</td></tr>\n")
      }
    }
  }

  private static func section(_ run: AutomationRuns.Run, number: Int, _ html: inout HTMLWriter) {
    html.markup("<section class=\"run\" aria-labelledby=\"run-")
    html.number(number)
    html.markup("\">\n<h2 id=\"run-")
    html.number(number)
    html.markup("\">")
    html.text(run.name)
    html.markup(" <small>")
    html.text(run.id)
    html.markup("</small></h2>\n<dl class=\"facts\">\n")
    facts(run, &html)
    html.markup("</dl>\n")
    grants(run, number: number, &html)
    if !run.refusals.isEmpty { refusals(run, number: number, &html) }
    if let uses = run.uses { calls(uses, of: run, number: number, &html) }
    html.markup("</section>\n")
  }

  private static func fact(_ name: StaticString, _ html: inout HTMLWriter, value: (inout HTMLWriter) -> Void) {
    html.markup("<div><dt>")
    html.markup(name)
    html.markup("</dt><dd>")
    value(&html)
    html.markup("</dd></div>\n")
  }

  private static func facts(_ run: AutomationRuns.Run, _ html: inout HTMLWriter) {
    fact("Began", &html) { html in
      html.time(run.began ?? run.first)
      if run.began == nil { html.markup(" <small>or before</small>") }
    }
    fact("Ended", &html) { html in
      if let ended = run.ended {
        html.time(ended)
      } else {
        html.markup("no row says so; last seen ")
        html.time(run.last)
      }
    }
    fact("By", &html) { html in
      html.text("\(run.user), \(run.host)")
      if let vault = run.vault { html.text(", \(vault)") }
    }
    fact("Root", &html) { html in html.text("process \(run.rootPid)" + (run.program.map { ", \($0)" } ?? "")) }
    if let text = run.scope { fact("Scope", &html) { html in scope(text, &html) } }
    fact("Asked", &html) { html in html.text("\(HTMLReportCharts.grouped(run.asked))×") }
    fact("Refused", &html) { html in html.text("\(HTMLReportCharts.grouped(run.refused))×") }
    fact("Confirmed by a person", &html) { html in html.text("\(HTMLReportCharts.grouped(run.confirmed))×") }
    for revocation in run.revocations.prefix(10) {
      fact("Revoked", &html) { html in
        html.time(revocation.time)
        html.text(" by \(revocation.user)" + (revocation.isInAWS ? ", in AWS" : "") + ": \(revocation.detail)")
      }
    }
    let more = run.revocations.count - 10
    if more > 0 { fact("Revoked", &html) { html in html.text(more == 1 ? "once more" : "\(more) times more") } }
  }

  private static func scope(_ text: String?, _ html: inout HTMLWriter) {
    guard let text else { return html.markup("–") }
    if let words = ScopeText.words(text) { return html.text(words) }
    html.markup("<code>")
    html.text(text)
    html.markup("</code>")
  }

  private static func deliveries(_ count: Int) -> String { count == 1 ? "1 delivery" : "\(count) deliveries" }

  private static func grants(_ run: AutomationRuns.Run, number: Int, _ html: inout HTMLWriter) {
    let more = [
      run.moreGrants > 0 ? "\(deliveries(run.moreGrants)) of other profiles or scopes" : nil,
      run.moreKeys > 0 ? "\(deliveries(run.moreKeys)) of other access keys" : nil,
    ].compactMap { $0 }
    html.table(
      .own("Credentials", of: number), caption: "What it was given",
      [
        .text("Profile"), .text("Role"), .text("Scope"), .text("Access keys"), .text("From"), .text("Until"),
        .number("Handed out"),
      ],
      note: run.grants.isEmpty ? "Nothing." : more.isEmpty ? nil : "And " + more.joined(separator: ", ") + "."
    ) { html in
      for grant in run.grants.sorted(by: { ($0.deliveries, $1.profile) > ($1.deliveries, $0.profile) }) {
        html.markup("<tr><th scope=\"row\">")
        html.text(grant.profile)
        html.markup("</th><td>")
        if let role = grant.roleARN { HTMLReportTables.role(role, &html) } else { html.markup("–") }
        html.markup("</td><td>")
        scope(grant.scope, &html)
        html.markup("</td><td>")
        html.text(
          grant.keys.prefix(20).joined(separator: ", ") + (grant.keys.count > 20 ? " and \(grant.keys.count - 20) more" : ""))
        html.markup("</td><td>")
        html.time(grant.from)
        html.markup("</td><td>")
        if let until = grant.until { html.time(until) } else { html.markup("–") }
        html.markup("</td><td class=\"n\">")
        html.number(grant.deliveries)
        html.markup("×</td></tr>\n")
      }
    }
  }

  private static func refusals(_ run: AutomationRuns.Run, number: Int, _ html: inout HTMLWriter) {
    html.table(
      .own("Refusals", of: number), caption: "What it was refused, or what failed",
      [.text("Cause"), .number("Times"), .text("Last")], note: nil
    ) { html in
      let causes = run.refusals.sorted { ($0.value.failures, $1.key) > ($1.value.failures, $0.key) }
      HTMLReportTables.causeRows(causes.map { (name: $0.key, tally: $0.value) }, &html)
    }
  }

  private static func calls(
    _ uses: [String: AutomationRuns.Use], of run: AutomationRuns.Run, number: Int, _ html: inout HTMLWriter
  ) {
    func list(_ keys: [String]) -> String { keys.prefix(20).joined(separator: ", ") + (keys.count > 20 ? ", …" : "") }
    let notes = [
      uses.isEmpty ? "Nothing." : nil,
      run.shared.isEmpty ? nil : "Delivered to others too, so these calls may be theirs: \(list(run.shared)).",
      run.issued.isEmpty
        ? nil : "These calls got it further access keys, whose calls are not counted here: \(list(run.issued.sorted())).",
    ].compactMap { $0 }
    html.table(
      .own("CloudTrail", of: number), caption: "What CloudTrail saw its access keys do",
      [.text("Call"), .number("Times"), .number("Refused or failed"), .text("First"), .text("Last")],
      note: notes.isEmpty ? nil : notes.joined(separator: " ")
    ) { html in
      for (call, use) in uses.sorted(by: { ($0.value.count, $1.key) > ($1.value.count, $0.key) }) {
        html.markup("<tr><th scope=\"row\">")
        html.text(call)
        html.markup("</th><td class=\"n\">")
        html.number(use.count)
        html.markup("</td><td class=\"n\">")
        html.number(use.failures)
        html.markup("</td><td>")
        html.time(use.first)
        html.markup("</td><td>")
        html.time(use.last)
        html.markup("</td></tr>\n")
      }
    }
  }

  /// Programs whose environment says that they act by themselves, outside of any run.
  private static func hints(_ runs: AutomationRuns, _ html: inout HTMLWriter) {
    guard !runs.hints.isEmpty else { return }
    html.section("hints", title: "Agents outside of a run")
    html.table(
      .heading("hints"),
      caption: "Programs that named themselves by a variable, which is their own word, and were not started by exec --automation",
      [.text("Variable"), .text("Profile"), .number("Asked"), .number("Refused"), .text("Last")], note: nil
    ) { html in
      for (hint, tally) in runs.hints.sorted(by: { ($0.value.deliveries, $1.key) > ($1.value.deliveries, $0.key) }) {
        html.markup("<tr><th scope=\"row\">")
        html.text(hint.variable)
        html.markup("</th><td>")
        html.text(hint.profile)
        html.markup("</td><td class=\"n\">")
        html.number(tally.deliveries + tally.failures)
        html.markup("</td><td class=\"n\">")
        html.number(tally.failures)
        html.markup("</td><td>")
        if let last = tally.last { html.time(last) }
        html.markup("</td></tr>\n")
      }
    }
    html.markup("</section>\n")
  }
}
