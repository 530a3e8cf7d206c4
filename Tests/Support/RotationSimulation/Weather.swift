import VaultModel

/// What goes wrong for all laptops at once, decided before the run.
struct Weather {
  /// The office's network is down.
  let network: [Range<Timestamp>]
  /// STS answers with an error only.
  let service: [Range<Timestamp>]
  /// Others use up most of the account's rate.
  let crowd: [Range<Timestamp>]

  /// Each about once in a week of work, at some hour of work.
  init(days: Int, _ chance: inout Chance) {
    var spells: [[Range<Timestamp>]] = [[], [], []]
    for day in 0..<days where Calendar.isWorkday(day) {
      for (kind, maxLength) in [40.0, 75, 90].enumerated() where chance.happens(0.2) {
        let begin = Calendar.moment(day: day, hour: chance.between(9, 16.5))
        spells[kind].append(begin..<begin.later(by: 60 * chance.between(maxLength / 10, maxLength)))
      }
    }
    (network, service, crowd) = (spells[0], spells[1], spells[2])
  }
}

extension [Range<Timestamp>] {
  func covers(_ moment: Timestamp) -> Bool { contains { $0.contains(moment) } }
}
