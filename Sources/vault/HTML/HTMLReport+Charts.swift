import VaultModel

/// The page's numbers and charts. Each chart's figures are also in words beside it or in a table.
enum HTMLReportCharts {
  static func write(_ data: HTMLReportData, _ html: inout HTMLWriter) {
    numbers(data, &html)
    plots(data, &html)
    lanes(data, &html)
  }

  private static func numbers(_ data: HTMLReportData, _ html: inout HTMLWriter) {
    let sum = data.buckets.reduce(into: Tally()) { $0.add($1) }
    html.markup(
      "<section aria-labelledby=\"numbers\">\n<h2 id=\"numbers\" class=\"unseen\">Overview</h2>\n<dl class=\"numbers\">\n")
    number("deliveries", name: "deliveries", value: sum.deliveries, &html)
    number("calls for credentials", name: "calls", value: sum.calls, &html)
    number("failed or refused", name: "failures", value: sum.failures, &html)
    number("sessions", name: "sessions", value: data.bars.count, &html)
    number("unused profiles", name: "unused", value: data.unusedProfiles.count, &html)
    html.markup("</dl>\n</section>\n")
  }

  private static func number(_ words: String, name: String, value: Int, _ html: inout HTMLWriter) {
    html.markup("<div class=\"")
    html.text(name)
    html.markup("\"><dt>")
    html.text(words)
    html.markup("</dt><dd data-sum=\"")
    html.text(name)
    html.markup("\">")
    html.text(grouped(value))
    html.markup("</dd></div>\n")
  }

  /// `12,345`
  static func grouped(_ value: Int) -> String {
    let digits = String(value)
    var text = ""
    for (place, digit) in digits.enumerated() {
      if place > 0, (digits.count - place) % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return text
  }

  private static func plots(_ data: HTMLReportData, _ html: inout HTMLWriter) {
    html.markup("<section aria-labelledby=\"over-time\">\n<h2 id=\"over-time\">Over time</h2>\n<div class=\"plots\">\n")
    let buckets = data.buckets
    plot("Deliveries", name: "deliveries", values: buckets.map(\.deliveries), of: data, &html)
    plot("Calls for credentials", name: "calls", values: buckets.map(\.calls), of: data, &html)
    plot("Failed or refused", name: "failures", values: buckets.map(\.failures), of: data, &html)
    axis(data, &html)
    html.markup("</div>\n<details>\n<summary>Show as table</summary>\n")
    html.markup(
      "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Over time, as a table\">\n<table id=\"buckets\">\n<caption>Each "
    )
    html.text(data.bucketWords)
    html.markup(" with activity; start times in UTC</caption>\n<thead><tr><th scope=\"col\">From</th>")
    html.markup("<th scope=\"col\" class=\"n\">Deliveries</th><th scope=\"col\" class=\"n\">Calls</th>")
    html.markup("<th scope=\"col\" class=\"n\">Failed</th></tr></thead>\n<tbody>\n")
    for (bucket, tally) in buckets.enumerated() {
      html.markup("<tr data-b=\"")
      html.number(bucket)
      html.markup(tally.calls + tally.deliveries + tally.failures > 0 ? "\">" : "\" hidden>")
      html.markup("<th scope=\"row\">")
      html.time(data.start(ofBucket: bucket))
      html.markup("</th>")
      for value in [tally.deliveries, tally.calls, tally.failures] {
        html.markup("<td class=\"n\">")
        html.number(value)
        html.markup("</td>")
      }
      html.markup("</tr>\n")
    }
    html.markup("</tbody>\n</table>\n</div>\n</details>\n</section>\n")
  }

  private static func plot(_ title: String, name: String, values: [Int], of data: HTMLReportData, _ html: inout HTMLWriter) {
    let maximum = values.max() ?? 0
    html.markup("<figure>\n<figcaption><span>")
    html.text(title)
    html.markup("</span> <span class=\"peak\">peak <b data-peak=\"")
    html.text(name)
    html.markup("\">")
    html.text(grouped(maximum))
    html.markup("</b> per ")
    html.text(data.bucketWords)
    html.markup("</span></figcaption>\n<svg class=\"bars ")
    html.text(name)
    html.markup("\" data-bars=\"")
    html.text(name)
    html.markup("\" role=\"img\" aria-label=\"")
    html.text("\(title): one bar per \(data.bucketWords); the table below has the figures")
    html.markup("\" preserveAspectRatio=\"none\" viewBox=\"0 0 ")
    html.number(values.count * 10)
    html.markup(" 100\">")
    for (bucket, value) in values.enumerated() {
      let height = value == 0 ? 0 : max(2, value * 100 / max(1, maximum))
      html.markup("<rect x=\"")
      html.number(bucket * 10 + 1)
      html.markup("\" width=\"8\" y=\"")
      html.number(100 - height)
      html.markup("\" height=\"")
      html.number(height)
      html.markup("\"><title>")
      html.text("\(data.start(ofBucket: bucket).shown): \(value)")
      html.markup("</title></rect>")
    }
    html.markup("</svg>\n</figure>\n")
  }

  /// The times of the charts' gridlines.
  private static func axis(_ data: HTMLReportData, _ html: inout HTMLWriter) {
    html.markup("<div class=\"axis\" aria-hidden=\"true\">")
    for quarter in 0..<4 {
      let moment = data.from.adding(milliseconds: data.to.since(data.from) / 4 * Int64(quarter))
      html.markup("<span>")
      html.text(String(moment.shown.dropFirst(5)))
      html.markup("</span>")
    }
    html.markup("</div>\n")
  }

  /// One line per role, with a bar for each session.
  private static func lanes(_ data: HTMLReportData, _ html: inout HTMLWriter) {
    html.markup("<section aria-labelledby=\"sessions\">\n<h2 id=\"sessions\">Sessions of each role</h2>\n")
    guard !data.bars.isEmpty else { return html.markup("<p class=\"nothing\">No sessions in this period.</p>\n</section>\n") }
    if data.bars.count == HTMLReportData.maxSessions {
      html.markup("<p class=\"note\">The newest ")
      html.text(grouped(HTMLReportData.maxSessions))
      html.markup(" sessions; narrow the report with <code>--since</code> or <code>--profile</code> for the others.</p>\n")
    }
    let byRole = Dictionary(grouping: data.bars) { $0.role }.sorted { ($0.value.count, $1.key) > ($1.value.count, $0.key) }
    html.markup(
      "<table class=\"lanes\" role=\"table\">\n<caption>When each role had a session; longer bars are longer sessions, ")
    html.markup("pale ones were never handed out</caption>\n<thead role=\"rowgroup\" class=\"unseen\"><tr role=\"row\">")
    html.markup("<th role=\"columnheader\" scope=\"col\">Role</th><th role=\"columnheader\" scope=\"col\">Sessions</th>")
    html.markup("<th role=\"columnheader\" scope=\"col\">Timeline</th></tr></thead>\n<tbody role=\"rowgroup\">\n")
    for (role, bars) in byRole { lane(data.roleNames.names[role], bars: bars, of: data, &html) }
    html.markup("</tbody>\n<tfoot aria-hidden=\"true\"><tr><td></td><td></td><td>")
    axis(data, &html)
    html.markup("</td></tr></tfoot>\n</table>\n</section>\n")
  }

  private static func lane(_ role: String, bars: [HTMLReportData.Bar], of data: HTMLReportData, _ html: inout HTMLWriter) {
    html.markup("<tr role=\"row\"><th role=\"rowheader\" scope=\"row\">")
    HTMLReportTables.role(role, &html)
    html.markup("</th><td role=\"cell\" class=\"n\"><span data-count>")
    html.number(bars.count)
    html.markup(
      "</span><span class=\"unit\"> sessions</span></td><td role=\"cell\"><svg class=\"lane\" role=\"img\" aria-label=\"")
    html.text(bars.count == 1 ? "timeline of 1 session" : "timeline of \(bars.count) sessions")
    html.markup("\" preserveAspectRatio=\"none\" viewBox=\"0 0 10000 20\">")
    let span = max(1, data.to.since(data.from))
    for bar in bars {
      let start = min(max(0, bar.session.issuedAt.since(data.from)), span) * 10_000 / span
      let end = min(max(0, bar.session.endsAt.since(data.from)), span) * 10_000 / span
      html.markup("<rect data-p=\"")
      html.number(bar.profile)
      html.markup("\" data-r=\"")
      html.number(bar.role)
      html.markup("\" data-u=\"")
      html.number(bar.user)
      if bar.session.deliveries == 0 { html.markup("\" class=\"idle") }
      html.markup("\" x=\"")
      html.number(Int(start))
      html.markup("\" y=\"3\" height=\"14\" width=\"")
      html.number(Int(max(18, end - start)))
      html.markup("\"><title>")
      html.text(
        "\(bar.session.profile): \(bar.session.issuedAt.shown) to \(bar.session.endsAt.shown), \(bar.session.deliveries)×")
      html.markup("</title></rect>")
    }
    html.markup("</svg></td></tr>\n")
  }
}
