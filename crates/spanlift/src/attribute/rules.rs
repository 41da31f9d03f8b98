//! The rules of a walk: for each kind of operation how a multiplier passes it, and the presets that users choose.

/// Rule of a linear map y = xWᵀ + b, and of the span head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinearRule {
    /// m_x = m_y·W; METHOD rule 1. The derivative as well.
    Linear,
}

/// Rule of a sum (residual connection, embeddings).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SumRule {
    /// m_y to both; METHOD rule 2. The derivative as well.
    Identity,
}

/// Rule of the feed-forward block's activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivationRule {
    /// Δg/Δu; METHOD rule 3 (DeepLIFT section 3.5.1).
    Rescale,
    /// The block as one step, positive and negative parts apart; METHOD section 4 (DeepLIFT section 3.5.2).
    RevealCancel,
    /// f′ at the input.
    Gradient,
}

/// Rule of the products QKᵀ and PV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProductRule {
    /// The Shapley value of two factors, m_a = m_y·b̄; METHOD rule 4.
    Shapley,
    /// m_a = m_y·b at the input.
    Gradient,
}

/// Rule of the softmax.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoftmaxRule {
    /// The Jacobian with p replaced by its log-mean; METHOD rule 5.
    LogMean,
    /// The mean of the Jacobian over the middles of 64 equal parts of the straight path s0 + α·Δs: the path integral of Integrated
    /// Gradients (Sundararajan et al. 2017, equation 1) for this one operation. Complete as the parts grow in number: the
    /// error falls as 1/n².
    Path,
    /// The Jacobian at the input.
    Gradient,
    /// Attention of the input held fixed: nothing passes to the scores, and PV is linear in V, m_V = Pᵀ·m_y. Of Δ(PV) = P·ΔV + ΔP·V0
    /// the second term is lost (the AH-rule of Ali et al. 2022).
    Fixed,
}

/// Rule of LayerNorm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerNormRule {
    /// The mean of σ and n over the two ends; METHOD rule 6.
    MeanSigma,
    /// The derivative at the input.
    Gradient,
    /// σ of the input held fixed, so that the rest is linear (AttnLRP, Achtibat et al. 2024, section 3.3.3; the LN-rule of Ali et al.
    /// 2022). Of Δn = Δc/σ + c0·Δ(1/σ) the second term is lost.
    FixedSigma,
}

/// What a walk takes Δx from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// The same model on the reference.
    Reference,
    /// Zero, whatever the activation: Δx is x, and what is shared out is the target itself.
    Zero,
}

/// One rule for each kind of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Linear maps and the span head.
    pub linear: LinearRule,
    /// Residual connections and embeddings.
    pub sum: SumRule,
    /// The feed-forward block's activation.
    pub activation: ActivationRule,
    /// QKᵀ and PV.
    pub product: ProductRule,
    /// Attention's softmax.
    pub softmax: SoftmaxRule,
    /// LayerNorm.
    pub layer_norm: LayerNormRule,
}

/// A named row of the rules table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// The method that it belongs to.
    pub method: &'static str,
    /// Its name among that method's rules.
    pub name: &'static str,
    /// The rules.
    pub rules: Rules,
    /// The other end of every Δ.
    pub against: Against,
    /// Whether every cut's scores add up to Δt.
    pub complete: bool,
}

const DEEPLIFT: Rules = Rules {
    linear: LinearRule::Linear,
    sum: SumRule::Identity,
    activation: ActivationRule::Rescale,
    product: ProductRule::Shapley,
    softmax: SoftmaxRule::LogMean,
    layer_norm: LayerNormRule::MeanSigma,
};

/// DeepLIFT with *Rescale* at the activations: the default.
pub const RESCALE: Preset = Preset {
    method: "deeplift",
    name: "rescale",
    rules: DEEPLIFT,
    against: Against::Reference,
    complete: true,
};

/// DeepLIFT with *RevealCancel* in the feed-forward blocks.
pub const REVEAL_CANCEL: Preset = Preset {
    method: "deeplift",
    name: "reveal-cancel",
    rules: Rules {
        activation: ActivationRule::RevealCancel,
        ..DEEPLIFT
    },
    against: Against::Reference,
    complete: true,
};

/// Path integral through each softmax, 64 points: complete up to the error of that sum.
pub const SOFTMAX_PATH: Preset = Preset {
    method: "deeplift",
    name: "softmax-path",
    rules: Rules {
        softmax: SoftmaxRule::Path,
        ..DEEPLIFT
    },
    against: Against::Reference,
    complete: false,
};

/// The softmax's derivative at the input: adds up to first order in the change of the scores.
pub const SOFTMAX_GRADIENT: Preset = Preset {
    method: "deeplift",
    name: "softmax-gradient",
    rules: Rules {
        softmax: SoftmaxRule::Gradient,
        ..DEEPLIFT
    },
    against: Against::Reference,
    complete: false,
};

/// Attention of the input held fixed: what comes of where the heads look is left out.
pub const SOFTMAX_FIXED: Preset = Preset {
    method: "deeplift",
    name: "softmax-fixed",
    rules: Rules {
        softmax: SoftmaxRule::Fixed,
        ..DEEPLIFT
    },
    against: Against::Reference,
    complete: false,
};

/// σ of the input held fixed in every LayerNorm: what comes of the change of σ is left out.
pub const SIGMA_FIXED: Preset = Preset {
    method: "deeplift",
    name: "sigma-fixed",
    rules: Rules {
        layer_norm: LayerNormRule::FixedSigma,
        ..DEEPLIFT
    },
    against: Against::Reference,
    complete: false,
};

/// The derivative at the input: m·Δx is Gradient × Input against the reference, and adds up only to first order.
pub const GRADIENT: Preset = Preset {
    method: "gradient-x-input",
    name: "gradient",
    rules: Rules {
        activation: ActivationRule::Gradient,
        product: ProductRule::Gradient,
        softmax: SoftmaxRule::Gradient,
        layer_norm: LayerNormRule::Gradient,
        ..DEEPLIFT
    },
    against: Against::Reference,
    complete: false,
};

/// Layer-wise relevance propagation as AttnLRP has it. Against zero, *Rescale* is f(u)/u, the identity rule of activations, and the
/// Shapley value of a product is half of the other factor, the uniform rule; a linear map is the ε-rule as ε → 0, whose bias keeps
/// its share; the softmax is its first-order expansion. See [`methods::lrp`](crate::methods::lrp).
pub const LRP: Preset = Preset {
    method: "lrp",
    name: "attn-lrp",
    rules: Rules {
        softmax: SoftmaxRule::Gradient,
        layer_norm: LayerNormRule::FixedSigma,
        ..DEEPLIFT
    },
    against: Against::Zero,
    complete: false,
};

/// All presets.
pub const PRESETS: [Preset; 8] = [
    RESCALE,
    REVEAL_CANCEL,
    SOFTMAX_PATH,
    SOFTMAX_GRADIENT,
    SOFTMAX_FIXED,
    SIGMA_FIXED,
    GRADIENT,
    LRP,
];

impl Rules {
    /// (operation, rule) for each kind of operation, as an `Explanation` names them.
    #[must_use]
    pub fn names(self) -> [(&'static str, &'static str); 6] {
        let linear = match self.linear {
            LinearRule::Linear => "linear",
        };
        let sum = match self.sum {
            SumRule::Identity => "identity",
        };
        let activation = match self.activation {
            ActivationRule::Rescale => "rescale",
            ActivationRule::RevealCancel => "reveal-cancel",
            ActivationRule::Gradient => "gradient",
        };
        let product = match self.product {
            ProductRule::Shapley => "shapley",
            ProductRule::Gradient => "gradient",
        };
        let softmax = match self.softmax {
            SoftmaxRule::LogMean => "log-mean",
            SoftmaxRule::Path => "path",
            SoftmaxRule::Gradient => "gradient",
            SoftmaxRule::Fixed => "fixed",
        };
        let layer_norm = match self.layer_norm {
            LayerNormRule::MeanSigma => "mean-sigma",
            LayerNormRule::Gradient => "gradient",
            LayerNormRule::FixedSigma => "fixed-sigma",
        };
        [
            ("linear", linear),
            ("sum", sum),
            ("activation", activation),
            ("product", product),
            ("softmax", softmax),
            ("layer_norm", layer_norm),
        ]
    }
}
