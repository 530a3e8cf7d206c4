import VaultModel

/// A team's laptops over some weeks, in virtual time.
struct Simulation {
  let options: Options
  let ledger: Ledger
  let weather: Weather
  let events: Int

  /// Runs it.
  init(_ options: Options) {
    self.options = options
    let world = World(start: Calendar.start)
    var chance = Chance(seed: options.seed)
    weather = Weather(days: options.days, &chance)
    ledger = Ledger(days: options.days)
    // Each session is renewed after 37 minutes in the mean.
    let need = Double(options.laptops * options.sessions) / 2_220
    let account = Account(world, weather, ledger, need: need)
    let laptops = (0..<options.laptops).map { [weather, ledger] number in
      Laptop(
        number, sessions: options.sessions, world: world, weather: weather, account: account, ledger: ledger,
        chance: chance.split())
    }
    for day in 0..<options.days {
      world.at(Calendar.moment(day: day, hour: 0)) { for laptop in laptops { laptop.live(day: day) } }
    }
    world.run(until: Calendar.moment(day: options.days, hour: 0))
    events = world.happened
  }
}
