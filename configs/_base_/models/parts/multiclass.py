# What a decode head for more than two classes has in place of binary masks: softmax, cross entropy and Dice.
multiclass = dict(
    threshold=None,
    loss_decode=[
        dict(type='mmseg.CrossEntropyLoss', avg_non_ignore=True),
        dict(type='mmpatch.PatchDiceLoss'),
    ],
)
