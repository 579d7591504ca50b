"""Report `lenet-bn`: LazyNet, BoringNet, and LeNet with batch normalisation (its CoolNet), on CIFAR-10.

    kerasnets-study run lenet-bn

It asks which network, batch size, learning rate and length of training is best, and what horizontal flips and the mean
squared error change. The figures' numbers are lost: but for one train loss the report is its claims.

The report says SGD and no more. Momentum 0 is fitted: it gives the one number that is left, 0.9 does not, see
``assumes``.

LazyNet and BoringNet are the runs of study `coolnet-cpu`, which are trained only once for both.
"""

from kerasnets.studies.study import Claim, Equal, Higher, Measure, Row, Setting, Study, point

BORING = {"none": "BoringNet", "relu": "BoringNet, ReLU", "leaky_relu": "BoringNet, LeakyReLU"}
# What "slightly" and "well" mean for two test accuracies: less and more than the 5 points that report coolnet-cpu
# prints between LazyNet and BoringNet without activations.
SLIGHTLY = 0.05
RATES = {10: "rate 10", 0.1: "rate 0.1", 0.0001: "rate 0.0001"}

STUDY = Study(
    name="lenet-bn",
    question="Which network, batch size, rate and length is best on CIFAR-10, and what do flips and MSE change?",
    dataset="cifar10",
    base={"arch": "lenet_bn", "momentum": 0.0},
    settings=(
        Setting(name="LazyNet", config={"arch": "lazynet"}),
        *(
            Setting(name=name, config={"arch": "boringnet", "arch_options": {"activation": activation}})
            for activation, name in BORING.items()
        ),
        Setting(name="CoolNet"),  # batch 4, rate 0.01, 50 epochs
        Setting(name="batch 32", config={"batch_size": 32}),
        Setting(name="batch 256", config={"batch_size": 256}),
        *(Setting(name=name, config={"learning_rate": float(rate)}) for rate, name in RATES.items()),
        Setting(name="MSE", config={"loss": "mse"}),
        Setting(name="200 epochs", config={"epochs": 200}),
        Setting(name="200 epochs, flips", config={"epochs": 200, "flip": "random"}),
    ),
    rows=(Row(setting="rate 10", measure=Measure(quantity="train_loss"), published=4.1, rounding=0.05),),
    claims=(
        Claim(
            text="BoringNet without activations ends slightly above LazyNet and well below BoringNet with them.",
            comparisons=(
                Higher(first=point("BoringNet"), second=point("LazyNet")),
                Equal(first=point("BoringNet"), second=point("LazyNet"), margin=SLIGHTLY),
                Higher(first=point("BoringNet, ReLU"), second=point("BoringNet"), by=SLIGHTLY),
                Higher(first=point("BoringNet, LeakyReLU"), second=point("BoringNet"), by=SLIGHTLY),
            ),
        ),
        Claim(
            text="CoolNet beats both.",
            comparisons=tuple(
                Higher(first=point("CoolNet"), second=point(name)) for name in ("LazyNet", *BORING.values())
            ),
        ),
        Claim(
            text="Of batch sizes 4, 32 and 256, 32 ends best.",
            comparisons=(
                Higher(first=point("batch 32"), second=point("CoolNet")),
                Higher(first=point("batch 32"), second=point("batch 256")),
            ),
        ),
        Claim(
            text="Batch size 4 does not bring the loss down enough.",
            comparisons=(Higher(first=point("CoolNet", "train_loss"), second=point("batch 32", "train_loss")),),
        ),
        Claim(
            text="Batch size 256 has too few steps to saturate.",
            # Not saturated: behind batch 32, and over its last ten epochs still falling, by more than 0.01.
            comparisons=(
                Higher(first=point("batch 256", "train_loss"), second=point("batch 32", "train_loss")),
                Higher(
                    first=point("batch 256", "train_loss", 40), second=point("batch 256", "train_loss", 50), by=0.01
                ),
            ),
        ),
        Claim(
            text="Of learning rates 10, 0.1, 0.01 and 0.0001, 0.01 has the best test accuracy.",
            comparisons=tuple(Higher(first=point("CoolNet"), second=point(name)) for name in RATES.values()),
        ),
        Claim(
            text="Of learning rates 10, 0.1, 0.01 and 0.0001, 0.01 has the lowest train loss.",
            comparisons=tuple(
                Higher(first=point(name, "train_loss"), second=point("CoolNet", "train_loss"))
                for name in RATES.values()
            ),
        ),
        Claim(
            text="150 epochs raise train accuracy and not test accuracy over 50.",
            # "Not": the test accuracy after 50 epochs is at least that after 150, but for a point.
            comparisons=(
                Higher(first=point("200 epochs", "train_accuracy", 150), second=point("CoolNet", "train_accuracy", 50)),
                Higher(first=point("CoolNet", epoch=50), second=point("200 epochs", epoch=150), by=-0.01),
            ),
        ),
        Claim(
            text="Over 200 epochs, horizontal flips raise test accuracy clearly while train loss is higher.",
            # "Clearly": by more than two points.
            comparisons=(
                Higher(first=point("200 epochs, flips"), second=point("200 epochs"), by=0.02),
                Higher(first=point("200 epochs, flips", "train_loss"), second=point("200 epochs", "train_loss")),
            ),
        ),
        Claim(
            text="Mean squared error on softmax outputs has a smaller gradient and converges more slowly.",
            # Slower: behind after the first epoch and after a tenth of the run.
            comparisons=(
                Higher(first=point("CoolNet", "train_accuracy", 1), second=point("MSE", "train_accuracy", 1)),
                Higher(first=point("CoolNet", "train_accuracy", 5), second=point("MSE", "train_accuracy", 5)),
                Higher(first=point("CoolNet", "gradient_norm", 1), second=point("MSE", "gradient_norm", 1)),
            ),
        ),
    ),
    assumes=(
        "SGD is without momentum. After two epochs at rate 10 the train loss is then 4.15, where about 4.1 is "
        "published; with momentum 0.9 it is 18.5, and BoringNet diverges (one run of each, seed 0).",
        "BoringNet's hidden layers have LeNet's 120 and 84 units, and CoolNet has ReLU and max pooling.",
        "Images are normalised with mean 0.5 and standard deviation 0.5 and not augmented, but for the flips.",
        "Batch sizes, rates, lengths, flips and mean squared error are those of CoolNet.",
        "150 epochs are the first 150 of the run of 200: with a constant rate the rest changes nothing about them.",
        "The mean squared error is averaged over the 10 classes, and its run has 50 epochs.",
        "A batch of 256 has too few steps if its train loss ends above that of 32 and is still falling.",
    ),
    published_cost="not given",
    train_images=50_000,
)
