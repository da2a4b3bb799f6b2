"""The rules as state machines over the rows of one camera, compiled to machine code.

`instants.advance` takes the rows instant by instant and signals what happened. The incidents that follow from
the signals are kept by `incidents.rules.engine`.
"""
