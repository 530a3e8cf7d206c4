import Glibc
import VaultModel

/// Ends with a word on standard error.
func end(_ error: any Error) -> Never {
  let failure = Failure(error)
  var words = "rotation-simulation: \(failure.message)\n" + (failure.hint.map { $0 + "\n" } ?? "")
  words.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
  exit(failure.exitStatus.rawValue)
}

do {
  let options = try Options(CommandLine.arguments.dropFirst())
  let began = ContinuousClock.now
  let simulation = Simulation(options)
  let report = Report(simulation)
  let plot = Plot(rates: report.rates, weather: simulation.weather, days: options.days)
  print(report.text)
  print(plot.text)
  guard let file = fopen(options.svg, "w") else { throw Failure("cannot write \(options.svg)", exitStatus: .cannotCreate) }
  fputs(plot.svg, file)
  guard fclose(file) == 0 else { throw Failure("cannot write \(options.svg)", exitStatus: .inputOutput) }
  print("\(simulation.events) events in \((ContinuousClock.now - began).components.seconds) s; the plot is in \(options.svg)")
  for breach in report.breaches { print("LIMIT BROKEN: \(breach)") }
  if !report.breaches.isEmpty { exit(EXIT_FAILURE) }
} catch {
  end(error)
}
