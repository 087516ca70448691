"""Wherever in a deploy staithe is killed, `staithe recover` puts things right, and no request fails; a signal needs no
recover."""
import signal
import unittest

import trials
from trials import Point


class KilledAnywhere(trials.Trials):
    def test_killed_at_every_action_of_a_host(self):
        points = [Point(k) for k in range(1, self.actions + 1)]
        points += [Point(k, late=True) for k in range(1, self.actions + 1)]
        self.each_point(points, self.judge_recovery)

    def test_killed_with_two_hosts_in_hand(self):
        options = ("--parallel", "2")
        self.each_point([Point(k, late=k % 2 == 1, options=options) for k in (30, 41, 45, 48, 53, 58, 66, 77)],
                        self.judge_recovery)

    def test_killed_behind_the_canary(self):
        """With one host on the new release: at every action of the next, and of what follows the roll on both."""
        points = [(k, "roll/web2/%") for k in range(1, self.count_of("roll/%") + 1)]
        points += [(k, "cleanup/%") for k in range(1, 2 * self.count_of("cleanup/%") + 1)]
        self.each_point([Point(k, late=n % 2 == 1, options=("--limit", "web1,web2"), like=like)
                         for n, (k, like) in enumerate(points)], self.judge_recovery)

    def judge_stop(self, trial):
        """A signal without recover: all is put back by staithe itself."""
        problems = []
        code = {signal.SIGTERM: 143, signal.SIGINT: 130}[trial.point.number]
        # Asked to stop while it unlocks, it is done.
        unlocks = trial.point.k >= self.actions - 1 or trial.actions[-1:] == ["close/1"]
        allowed = (code, 0) if unlocks else (code,)
        if trial.result.code not in allowed:
            problems.append(f"it ended with {trial.result.code}, not {code}")
        if trial.result.code and "interrupted" not in trial.result.err:
            problems.append("its last lines do not say that it was interrupted")
        problems += trial.problems()
        return problems + ([f"at {trial.actions[-1:]}", str(trial.result)] if problems else [])

    def test_stopped_at_every_action_of_a_host(self):
        points = [Point(k, number=signal.SIGTERM if k % 2 else signal.SIGINT) for k in range(1, self.actions + 1)]
        # In the rolling part each signal meets each action.
        points += [Point(k, number=signal.SIGINT if k % 2 else signal.SIGTERM) for k in range(7, self.actions - 2)]
        self.each_point(points, self.judge_stop)

    def test_stopped_with_two_hosts_in_hand(self):
        options = ("--parallel", "2")
        self.each_point([Point(k, number=number, options=options)
                         for k, number in ((10, signal.SIGINT), (44, signal.SIGTERM), (52, signal.SIGINT), (60, signal.SIGTERM))],
                        self.judge_stop)


if __name__ == "__main__":
    unittest.main(verbosity=1)
