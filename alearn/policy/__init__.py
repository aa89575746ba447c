"""The decisions of a round: pure functions of scores and ledger."""
