import VaultModel

/// Calls to STS over the run: a line of blocks a day for the terminal, and a picture.
struct Plot {
  let rates: Rates
  let weather: Weather
  let days: Int

  /// From eight to half past six, a block for each quarter of an hour.
  var text: String {
    let blocks = Array(" ▁▂▃▄▅▆▇█")
    let course = rates.course(every: 900)
    var lines = [
      "Calls a second by the quarter of an hour; a full block is 3 times the mean (n network down, s STS down, t throttled)"
    ]
    lines.append("        08  09  10  11  12  13  14  15  16  17  18")
    for day in 0..<days where Calendar.isWorkday(day) {
      let quarters = (day * 96 + 32)..<(day * 96 + 76)
      let height = quarters.map { quarter in
        course[quarter] == 0 ? 0 : max(1, min(8, Int((course[quarter] / (3 * rates.mean) * 8).rounded())))
      }
      let marks = String(quarters.map { mark($0) }).trimmed
      lines.append("day \(day < 9 ? " " : "")\(day + 1)  \(String(height.map { blocks[$0] }))")
      if !marks.isEmpty { lines.append("        \(marks)") }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private func mark(_ quarter: Int) -> Character {
    let from = Calendar.start.later(by: Double(quarter) * 900)
    let period = from..<from.later(by: 900)
    if weather.service.contains(where: { $0.overlaps(period) }) { return "s" }
    if weather.network.contains(where: { $0.overlaps(period) }) { return "n" }
    if weather.crowd.contains(where: { $0.overlaps(period) }) { return "t" }
    return " "
  }

  /// An SVG of the whole run, ten minutes a point.
  var svg: String {
    let course = rates.course(every: 600)
    let top = max(3.3 * rates.mean, course.max() ?? 0)
    let (width, height) = (1_200.0, 300.0)
    func x(_ share: Double) -> String { Report.two(60 + share * (width - 80)) }
    func y(_ rate: Double) -> String { Report.two(height - 30 - rate / top * (height - 60)) }
    func line(_ rate: Double, _ name: String) -> String {
      "<line x1=\"\(x(0))\" x2=\"\(x(1))\" y1=\"\(y(rate))\" y2=\"\(y(rate))\" stroke=\"#888\" stroke-dasharray=\"4 3\"/>"
        + "<text x=\"4\" y=\"\(y(rate))\">\(name)</text>"
    }
    func shades(_ spells: [Range<Timestamp>], _ colour: String) -> [String] {
      spells.map { spell in
        let share = { (moment: Timestamp) in Double(moment.since(Calendar.start)) / Double(days * 86_400_000) }
        let breadth = Report.two((share(spell.upperBound) - share(spell.lowerBound)) * (width - 80) + 1)
        return "<rect x=\"\(x(share(spell.lowerBound)))\" y=\"30\" width=\"\(breadth)\" height=\"240\" fill=\"\(colour)\"/>"
      }
    }
    let points = course.enumerated().map { "\(x(Double($0.offset) / Double(course.count))),\(y($0.element))" }
    var parts = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1200\" height=\"300\" font-family=\"sans-serif\" font-size=\"11\">",
      "<rect width=\"1200\" height=\"300\" fill=\"white\"/>",
      "<text x=\"60\" y=\"18\">Calls to STS a second, \(days) days, ten minutes a point. "
        + "Blue: network down. Red: STS down. Yellow: throttled.</text>",
    ]
    parts += shades(weather.network, "#cfe0ff") + shades(weather.service, "#ffd0d0") + shades(weather.crowd, "#fff0b0")
    parts += [line(rates.mean, "mean"), line(3 * rates.mean, "3 × mean")]
    parts.append("<polyline fill=\"none\" stroke=\"#124\" points=\"\(points.joined(separator: " "))\"/>")
    parts.append("</svg>")
    return parts.joined(separator: "\n") + "\n"
  }
}

extension String {
  /// Without the spaces at its end.
  fileprivate var trimmed: String {
    var text = self[...]
    while text.last == " " { text.removeLast() }
    return String(text)
  }
}
