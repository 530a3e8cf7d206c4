import Testing
import VaultConcurrency
import VaultModel

@Suite struct TokenBucketTests {
  private let start = Timestamp(seconds: 1_795_435_200)

  /// How many calls a bucket allows that is asked every second.
  private func calls(_ bucket: inout TokenBucket, from: Int64, seconds: Int64) -> Int {
    (from..<from + seconds).reduce(0) { $0 + (bucket.consume(at: start.adding(seconds: $1)) ? 1 : 0) }
  }

  @Test("after a quiet time two calls go at once, and then a quarter more than the sessions need")
  func concurrency() {
    var bucket = TokenBucket(at: start)
    bucket.change(demand: 0.2, at: start)
    var atOnce = 0
    while bucket.consume(at: start) { atOnce += 1 }
    #expect(atOnce == 2)
    let inStep = calls(&bucket, from: 1, seconds: 1_000)
    #expect((249...251).contains(inStep))
  }

  @Test("an endpoint that is silent is looked for at half the pace, and called at the whole of it once it answers")
  func silent() {
    var bucket = TokenBucket(at: start)
    bucket.change(demand: 2, at: start)
    bucket.setDown(true, at: start)
    #expect(bucket.rate == 1.25)
    bucket.setDown(false, at: start)
    #expect(bucket.rate == 2.5)
  }

  @Test("throttling halves the rate down to a sixteenth, and takes what was saved up; sixty successes win it all back")
  func throttled() {
    var bucket = TokenBucket(at: start)
    bucket.change(demand: 2, at: start)
    bucket.slowDown(at: start)
    let isOpen = bucket.consume(at: start)
    #expect(bucket.rate == 1.25 && !isOpen)
    for _ in 0..<10 { bucket.slowDown(at: start) }
    #expect(bucket.share == TokenBucket.smallestShare)
    for _ in 0..<60 { bucket.recover(at: start) }
    #expect(bucket.rate == 2.5)
  }

  @Test("calls that were asked for are paid for afterwards, but for no more than one burst")
  func debt() {
    var bucket = TokenBucket(at: start)
    bucket.change(demand: 0.5, at: start)
    bucket.charge(100, at: start)
    let next = bucket.nextToken(at: start)
    #expect(next.since(start) == 4_800)
    let taken = [next.adding(milliseconds: -7), next].map { bucket.consume(at: $0) }
    #expect(taken == [false, true])
  }

  @Test("a clock that is set back fills nothing, and one that is set forward no more than a burst")
  func clocks() {
    var bucket = TokenBucket(at: start)
    for _ in 0..<2 { _ = bucket.consume(at: start) }
    let earlier = start.adding(seconds: -86_400)
    let isOpen = bucket.consume(at: earlier)
    let next = bucket.nextToken(at: earlier)
    #expect(!isOpen && next.since(earlier) == 30_000)
    let later = start.adding(seconds: 86_400 * 30)
    var atOnce = 0
    while bucket.consume(at: later) { atOnce += 1 }
    #expect(atOnce == 2)
  }
}

@Suite struct HeapTests {
  @Test("what goes into a heap comes out in order")
  func order() {
    var random = SystemRandomNumberGenerator()
    let numbers = (0..<1_000).map { _ in Int.random(in: 0..<300, using: &random) }
    var heap = PriorityQueue<Int>()
    for number in numbers { heap.insert(number) }
    var sorted: [Int] = []
    while let first = heap.first {
      sorted.append(first)
      heap.removeFirst()
    }
    #expect(sorted == numbers.sorted(), "\(numbers)")
  }
}
