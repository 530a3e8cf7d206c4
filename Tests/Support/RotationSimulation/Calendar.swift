import VaultModel

/// When what happens: a run begins on a Monday at midnight, and everybody lives by one clock.
enum Calendar {
  /// 2026-11-02T00:00:00Z
  static let start = Timestamp(seconds: 1_793_577_600)

  static func isWorkday(_ day: Int) -> Bool { day % 7 < 5 }

  static func moment(day: Int, hour: Double) -> Timestamp { start.later(by: Double(day) * 86_400 + hour * 3_600) }
}

/// The hours in which a laptop is open on one day.
struct Workday {
  let awake: [Range<Timestamp>]

  /// Comes at about nine, shuts the lid at lunch and for a meeting or two, and goes at about half past five.
  init(_ day: Int, _ chance: inout Chance) {
    guard Calendar.isWorkday(day), !chance.happens(0.08) else {
      awake = []
      return
    }
    let comes = chance.between(8.5, 9.5)
    let goes = chance.between(17, 18.25)
    var delays: [(Double, Double)] = []
    if chance.happens(0.8) {
      let lunch = chance.between(11.75, 13)
      delays.append((lunch, lunch + chance.between(0.5, 1)))
    }
    if chance.happens(0.5) {
      let meeting = chance.between(9.75, 11)
      delays.append((meeting, meeting + chance.between(0.1, 0.7)))
    }
    if chance.happens(0.5) {
      let meeting = chance.between(14.25, 16)
      delays.append((meeting, meeting + chance.between(0.1, 0.9)))
    }
    delays.sort { $0.0 < $1.0 }
    var edges = [comes]
    for (from, to) in delays { edges += [from, to] }
    edges.append(goes)
    awake = stride(from: 0, to: edges.count, by: 2).map {
      Calendar.moment(day: day, hour: edges[$0])..<Calendar.moment(day: day, hour: edges[$0 + 1])
    }
  }
}
