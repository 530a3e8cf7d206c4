import Foundation
import Glibc
import SimulatorModel
import VaultModel

/// Ends with a word on standard error.
func end(_ error: any Error) -> Never {
  let failure = error as? Failure ?? Failure("\(error)", exitStatus: .software)
  let words = "sts-simulator: \(failure.message)\n" + (failure.hint.map { $0 + "\n" } ?? "")
  FileHandle.standardError.write(Data(words.utf8))
  exit(failure.exitStatus.rawValue)
}

do {
  let options = try Options(CommandLine.arguments.dropFirst())
  let world = try options.readWorld()
  var logFile: Int32?
  if let path = options.log {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw Failure("cannot write \(path): errno \(errno)", exitStatus: .cannotCreate) }
    logFile = descriptor
  }
  let simulator = Simulator(world: world, log: RequestLog(file: logFile))
  guard let (listener, port) = Socket.listen(port: options.port) else {
    throw Failure("cannot listen on 127.0.0.1:\(options.port): errno \(errno)", exitStatus: .unavailable)
  }
  signal(SIGPIPE, SIG_IGN)
  signal(SIGTERM) { _ in _exit(0) }
  if options.untilStdinCloses {
    Thread.detachNewThread {
      var byte: UInt8 = 0
      while read(0, &byte, 1) > 0 {}
      _exit(0)
    }
  }
  FileHandle.standardOutput.write(Data("listening on http://127.0.0.1:\(port)\n".utf8))
  var connections = 0
  while let socket = Socket.accept(listener) {
    connections += 1
    let number = connections
    Thread.detachNewThread {
      var connection = Connection(socket: socket, number: number, simulator: simulator)
      connection.serve()
    }
  }
  throw Failure("accept: errno \(errno)", exitStatus: .unavailable)
} catch {
  end(error)
}
