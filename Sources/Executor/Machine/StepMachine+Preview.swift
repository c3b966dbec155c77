extension StepMachine {
    /// What this process would do if everything succeeded and no window were in the way; indices of steps, in the plan's
    /// order.
    func foreseen() -> [Int] {
        var machine = self
        var found: [Int] = []
        var commands = machine.advance()[...]
        while let command = commands.popFirst() {
            switch command {
            case .check(let steps), .admit(let steps): commands += machine.checked(steps, isStale: false)
            case .perform(let step, _), .settle(let step, _):
                found.append(step)
                commands += machine.finished(step, .succeeded)
            case .promote(let attempts):
                let steps = attempts.map(\.step)
                found += steps
                commands += machine.promoted(steps)
            }
        }
        return found.sorted()
    }
}
