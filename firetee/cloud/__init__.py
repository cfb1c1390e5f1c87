"""The AWS side of the command line: read a function, plan a change, apply it or take it back.

`plan` and everything it calls is pure: it turns what `state` read into a list of `steps`. `executor` applies them in
order and undoes them in reverse when one fails. A dry run prints the very plan that a run would apply, and a function
that needs nothing has an empty plan.

Never imported by the layer.
"""
