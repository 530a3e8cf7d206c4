/// A vault that has imported the standard world's files, with the simulator that is AWS to it.
public struct SimulatedVault: SharedFixture {
  public let simulator: STSSimulatorProcess
  public let vault: TestVault

  /// - Parameter vault: one that has imported its profiles, and calls this simulator.
  public init(simulator: STSSimulatorProcess, vault: TestVault) {
    self.simulator = simulator
    self.vault = vault
  }

  /// The one that a suite's tests share. They use its profiles, and change neither profiles nor keys.
  public static func shared() async throws -> SimulatedVault {
    try await shared {
      let simulator = try await STSSimulatorProcess()
      return SimulatedVault(simulator: simulator, vault: try await TestVault(simulator))
    }
  }

  public func state() async throws -> String {
    let rows = "SELECT name, hex(digest), removed_at FROM profile ORDER BY id; SELECT id, removed_at FROM access_key ORDER BY id"
    return try await Subprocess.run("/usr/bin/sqlite3", ["-readonly", vault.database, rows], environment: [:]).output
  }
}
