import Glibc

extension ProcessIdentity {
  /// The process that has this ID now; nil if none runs. A process that has ended and was not waited for does not count.
  public init?(running pid: Int32) {
    // The fields are counted after the command's name, which may contain any character (proc(5)).
    guard pid > 0, let text = Self.read("/proc/\(pid)/stat"), let end = text.lastIndex(of: UInt8(ascii: ")")),
      let boot = Self.read("/proc/sys/kernel/random/boot_id")
    else { return nil }
    let fields = text[(end + 1)...].split(separator: UInt8(ascii: " "), maxSplits: 20)
    // The third field is the state, the twenty-second the start time.
    guard fields.count > 19, let state = fields[0].first, state != UInt8(ascii: "Z"), state != UInt8(ascii: "X"),
      let started = Int64(String(decoding: fields[19], as: UTF8.self))
    else { return nil }
    self.init(pid: pid, started: started, boot: String(decoding: boot.prefix { $0 > 32 }, as: UTF8.self))
  }

  /// Whether the ID still belongs to this process.
  public var isRunning: Bool { ProcessIdentity(running: pid) == self }

  /// When it started, by today's clock: the kernel counts from the machine's start, through suspends (proc(5), "starttime").
  public func startTime(at now: Timestamp) -> Timestamp {
    var uptime = timespec()
    clock_gettime(CLOCK_BOOTTIME, &uptime)
    let life =
      Int64(uptime.tv_sec) * 1_000 + Int64(uptime.tv_nsec) / 1_000_000 - started * 1_000 / Int64(sysconf(Int32(_SC_CLK_TCK)))
    return now.adding(milliseconds: -life)
  }

  private static func read(_ path: String) -> [UInt8]? {
    ProcessFiles.read(path, limit: 2_048) { Array($0) }
  }
}
