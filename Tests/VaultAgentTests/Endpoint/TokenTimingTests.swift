import Foundation
import Glibc
import TestSupport
import Testing

@testable import VaultAgent

/// Whether the time of a comparison tells where two values differ: Welch's t-test over two kinds of input, in turns, the slowest samples left
/// out (Reparaz, Balasch, Verbauwhede: "Dude, is my code constant time?", 2017).
@Suite struct TokenTimingTests {
  private static let length = 32
  private static let batch = 40

  private static func nanoseconds(_ body: () -> Bool) -> Double {
    var start = timespec()
    var end = timespec()
    var kept = false
    clock_gettime(CLOCK_MONOTONIC, &start)
    for _ in 0..<batch { kept = body() != kept }
    clock_gettime(CLOCK_MONOTONIC, &end)
    precondition(kept || !kept)
    return Double(end.tv_sec - start.tv_sec) * 1e9 + Double(end.tv_nsec - start.tv_nsec)
  }

  /// Welch's t between values that differ in the first byte and in the last.
  private static func t(_ areEqual: ([UInt8], [UInt8]) -> Bool) -> Double {
    let known = (0..<length).map { UInt8($0) }
    var inputs = [known, known]
    inputs[0][0] ^= 1
    inputs[1][length - 1] ^= 1
    var samples: [[Double]] = [[], []]
    for _ in 0..<4_000 {
      let kind = Int.random(in: 0...1)
      samples[kind].append(nanoseconds { areEqual(known, inputs[kind]) })
    }
    let limit = (samples[0] + samples[1]).sorted()[1_600]
    let (one, other) = (samples[0].filter { $0 <= limit }, samples[1].filter { $0 <= limit })
    // One kind alone is that quick: nothing tells the two apart better.
    guard one.count > 10, other.count > 10 else { return .infinity }
    func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
    func error(_ values: [Double], _ mean: Double) -> Double {
      values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1) / Double(values.count)
    }
    let (first, second) = (mean(one), mean(other))
    return abs(first - second) / (error(one, first) + error(other, second)).squareRoot()
  }

  /// The best of many: a busy machine makes noise for seconds, and none makes the two alike where they are not.
  private static func leastT(delay: UInt32, _ areEqual: ([UInt8], [UInt8]) -> Bool) -> Double {
    var least = Double.infinity
    for number in 0..<100 where least >= 4.5 {
      if number > 0 { usleep(delay) }
      least = min(least, t(areEqual))
    }
    return least
  }

  @Test("the time that a token's comparison takes does not tell where it is wrong; a plain comparison's does, and is found out")
  func constant() async throws {
    #expect(try await onOwnThread { Self.leastT(delay: 100_000, EndpointRequest.areEqual) } < 4.5)
    let plain = try await onOwnThread {
      Self.leastT(delay: 0) { one, other in
        for index in one.indices where one[index] != other[index] { return false }
        return true
      }
    }
    #expect(plain > 4.5, "\(plain)")
  }
}
