"""Networks that have a claim's property, or lack it, by construction, and how each claim's instrument reads them.

A statistic is worth its word only where it comes out right on these twins: `constraints` and `train` make ViTs whose
weights allow the property or rule it out, `oracle` makes features and answers of what is known of an image, `pictures`
puts known pictures in the place of visualizations, `twins` lists them by claim, and `instrument` measures them all by
the experiments and analyses that measure any model.
"""
