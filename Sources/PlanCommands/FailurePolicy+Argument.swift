public import ArgumentParser
public import Model

extension FailurePolicy: ExpressibleByArgument {}
